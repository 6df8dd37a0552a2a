/** Instances, applications, deployments and replicas as a tree. */

import * as React from 'react';

import { move, type Move } from '../keys';
import type { Known, Model } from '../model';
import { keyOf } from '../place';
import type { Preferences } from '../preferences';
import { instanceReason, type Remedy } from '../reasons';
import { rowsOf, type Opening, type Row } from '../rows';
import type { Beat } from './live';
import { Notice } from './parts';
import { Run } from './Run';
import { domId, TreeRow } from './TreeRow';

type Props = {
  model: Model;
  beat: Beat;
  preferences: Preferences;
  run: (remedy: Remedy) => void;
  onDelete: () => void;
};

export function Tree(props: Props): React.JSX.Element {
  const { model, preferences, run } = props;
  const scroller = React.useRef<HTMLDivElement>(null);
  const all = model.instances ?? [];
  const parts = useRows(model, props.beat, preferences);
  const rows = React.useMemo(() => parts.flat(), [parts]);
  const selected = model.selected ? keyOf(model.selected) : '';
  const stop = rows.some(row => row.key === selected) ? selected : (rows[0]?.key ?? '');
  const opening = openingOf(model, preferences);
  // Keys may come faster than lines are drawn: they need the lines of now.
  const look = (): Row[] => rowsOf(model.instances ?? [], opening).flat();
  const onKeyDown = useKeys(model, look, stop, props.onDelete);
  const drawerOf = useDrawing(props, selected, stop);
  return (
    <div
      ref={scroller}
      role="tree"
      aria-label="What is served"
      className="wb-Tree"
      data-testid="wb-tree"
      onKeyDown={onKeyDown}
    >
      {all.map((known, index) => {
        const reason = instanceReason(known);
        const notice = reason && <Notice reason={reason} run={run} />;
        const draw = drawerOf(known, notice);
        return runsOf(parts[index] ?? []).map(lines =>
          lines[0]?.kind === 'replica' ? (
            <Run
              key={`run ${lines[0].key}`}
              rows={lines}
              selected={selected}
              scroller={scroller}
              draw={draw}
            />
          ) : (
            lines.map(row => draw(row))
          )
        );
      })}
    </div>
  );
}

type Draw = (row: Row, style?: React.CSSProperties) => React.JSX.Element;

/** How lines of an instance are drawn, its notice below its own. */
function useDrawing(
  { model, beat }: Props,
  selected: string,
  stop: string
): (known: Known, notice: React.ReactNode) => Draw {
  const onSelect = React.useCallback((row: Row) => model.select(row.at), [model]);
  const onToggle = React.useCallback(
    (row: Row) => {
      if (row.isOpen !== null) {
        model.open(row.at, !row.isOpen);
      }
    },
    [model]
  );
  return ({ history }, notice) =>
    function draw(row, style) {
      return (
        <TreeRow
          key={row.key}
          row={row}
          history={history}
          samples={row.kind === 'instance' ? 0 : beat.samples}
          isSelected={row.key === selected}
          isStop={row.key === stop}
          onSelect={onSelect}
          onToggle={onToggle}
          {...(style && { style })}
        >
          {row.kind === 'instance' && notice}
        </TreeRow>
      );
    };
}

function useRows(model: Model, beat: Beat, preferences: Preferences): Row[][] {
  return React.useMemo(
    () => rowsOf(model.instances ?? [], openingOf(model, preferences)),
    // The model is one object that changes; `changes` says when.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [model, beat.changes, preferences]
  );
}

function openingOf(model: Model, { openReplicasUpTo }: Preferences): Opening {
  return { isOpen: (at, usual) => model.isOpen(at, usual), openReplicasUpTo };
}

/** Arrow keys walk, open and close; the focus follows once the line is drawn. */
function useKeys(
  model: Model,
  look: () => readonly Row[],
  current: string,
  onDelete: () => void
): (event: React.KeyboardEvent) => void {
  const wanted = React.useRef('');
  React.useEffect(() => {
    if (wanted.current && wanted.current === current) {
      wanted.current = '';
      document.getElementById(domId(current))?.focus();
    }
  });
  return event => {
    const { target, key } = event;
    if (!(target instanceof HTMLElement) || target.role !== 'treeitem') {
      return;
    }
    if (key === 'Delete') {
      onDelete();
      return;
    }
    const at = model.selected ? keyOf(model.selected) : current;
    const step = move(look(), at, key);
    if (step) {
      event.preventDefault();
      event.stopPropagation();
      take(model, step);
      wanted.current = step.open === undefined ? step.to.key : '';
    }
  };
}

function take(model: Model, { to, open }: Move): void {
  if (open === undefined) {
    model.select(to.at);
  } else {
    model.open(to.at, open);
  }
}

/** Neighbouring replicas together, all other lines alike. */
function runsOf(rows: readonly Row[]): Row[][] {
  const runs: Row[][] = [];
  for (const row of rows) {
    const last = runs[runs.length - 1];
    if (last && (last[0]?.kind === 'replica') === (row.kind === 'replica')) {
      last.push(row);
    } else {
      runs.push([row]);
    }
  }
  return runs;
}
