/** Instances, applications, deployments and replicas as a tree. */

import * as React from 'react';

import { move, type Move } from '../keys';
import type { Known, Model } from '../model';
import { keyOf } from '../place';
import type { Preferences } from '../preferences';
import { instanceReason, type Remedy } from '../reasons';
import { rowsOf, type Row } from '../rows';
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

/** The lines of one instance. */
type Part = { readonly known: Known; readonly rows: readonly Row[] };

export function Tree(props: Props): React.JSX.Element {
  const { model, beat, preferences, run } = props;
  const scroller = React.useRef<HTMLDivElement>(null);
  const parts = useParts(model, beat, preferences);
  const rows = React.useMemo(() => parts.flatMap(part => part.rows), [parts]);
  const selected = model.selected ? keyOf(model.selected) : '';
  const stop = rows.some(row => row.key === selected) ? selected : rows[0]?.key;
  const onSelect = React.useCallback((row: Row) => model.select(row.at), [model]);
  const onToggle = React.useCallback(
    (row: Row) => {
      if (row.isOpen !== null) {
        model.open(row.at, !row.isOpen);
      }
    },
    [model]
  );
  const onKeyDown = useKeys(model, rows, stop ?? '', props.onDelete);
  const draw = (
    { history }: Known,
    row: Row,
    style?: React.CSSProperties,
    below?: React.ReactNode
  ): React.JSX.Element => (
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
      {below}
    </TreeRow>
  );
  return (
    <div
      ref={scroller}
      role="tree"
      aria-label="What is served"
      className="wb-Tree"
      data-testid="wb-tree"
      onKeyDown={onKeyDown}
    >
      {parts.map(({ known, rows: own }) => {
        const reason = instanceReason(known);
        const notice = reason && <Notice reason={reason} run={run} />;
        return runsOf(own).map(lines =>
          lines[0]?.kind === 'replica' ? (
            <Run
              key={`run ${lines[0].key}`}
              rows={lines}
              selected={selected}
              scroller={scroller}
              draw={(row, style) => draw(known, row, style)}
            />
          ) : (
            lines.map(row =>
              draw(known, row, undefined, row.kind === 'instance' ? notice : undefined)
            )
          )
        );
      })}
    </div>
  );
}

function useParts(model: Model, beat: Beat, preferences: Preferences): readonly Part[] {
  const { openReplicasUpTo } = preferences;
  return React.useMemo(() => {
    const all = model.instances ?? [];
    return all.map((known, index) => ({
      known,
      rows: rowsOf(
        known,
        { position: index + 1, siblings: all.length },
        (at, usual) => model.isOpen(at, usual),
        openReplicasUpTo
      )
    }));
    // The model is one object that changes; `changes` says when.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [model, beat.changes, openReplicasUpTo]);
}

/** Arrow keys walk, open and close; the focus follows once the line is drawn. */
function useKeys(
  model: Model,
  rows: readonly Row[],
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
    if (event.target instanceof HTMLElement && event.target.role !== 'treeitem') {
      return;
    }
    if (event.key === 'Delete') {
      onDelete();
      return;
    }
    const step = move(rows, current, event.key);
    if (step) {
      event.preventDefault();
      event.stopPropagation();
      apply(model, step, key => (wanted.current = key));
    }
  };
}

function apply(model: Model, { to, open }: Move, focus: (key: string) => void): void {
  if (open !== undefined) {
    model.open(to.at, open);
  } else {
    focus(to.key);
    model.select(to.at);
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
