/** One line of the tree. */

import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import * as format from '../format';
import { sparkPath, type History } from '../history';
import type { Row } from '../rows';
import { MarkSign } from './parts';

const SPARK = { width: 36, height: 18 };

export type RowProps = {
  row: Row;
  history: History;
  /** Rises with each sample: what is measured is read anew. */
  samples: number;
  isSelected: boolean;
  /** The line that the Tab key leads to. */
  isStop: boolean;
  onSelect: (row: Row) => void;
  onToggle: (row: Row) => void;
  style?: React.CSSProperties;
  children?: React.ReactNode;
};

export const TreeRow = React.memo(function TreeRow(props: RowProps): React.JSX.Element {
  const { row, isSelected, isStop, onSelect, children } = props;
  const line = React.useRef<HTMLDivElement>(null);
  const select = (): void => onSelect(row);
  return (
    <div
      ref={line}
      role="treeitem"
      id={domId(row.key)}
      className={`wb-Row wb-mod-${row.kind}`}
      style={props.style}
      tabIndex={isStop ? 0 : -1}
      aria-level={row.level}
      aria-posinset={row.position}
      aria-setsize={row.siblings}
      aria-selected={isSelected}
      aria-expanded={row.isOpen ?? undefined}
      aria-label={`${row.kind} ${row.name}, ${row.state}`}
      data-kind={row.kind}
      data-state={row.state}
      data-name={row.name}
      data-testid="wb-row"
      onClick={select}
      onContextMenu={select}
      onFocus={event => event.target === line.current && !isSelected && select()}
    >
      <Line {...props} />
      {children}
    </div>
  );
});

function Line({ row, history, onToggle }: RowProps): React.JSX.Element {
  const Caret = row.isOpen ? caretDownIcon : caretRightIcon;
  return (
    <div className="wb-Row-line" onDoubleClick={() => onToggle(row)}>
      <span
        className="wb-Row-caret"
        aria-hidden="true"
        onClick={event => {
          event.stopPropagation();
          onToggle(row);
        }}
      >
        {row.isOpen !== null && <Caret.react tag="span" />}
      </span>
      <MarkSign mark={row.mark} title={row.state} />
      <span className="wb-Row-text">
        <span className="wb-Row-name" title={row.name}>
          {row.name}
        </span>
        {row.note && (
          <span className="wb-Row-note" title={row.note}>
            {row.note}
          </span>
        )}
      </span>
      {row.isMeasured && <Measured row={row} history={history} />}
    </div>
  );
}

function Measured({
  row,
  history
}: Pick<RowProps, 'row' | 'history'>): React.JSX.Element {
  const rates = history.rates(row.at);
  const path = sparkPath(history.trace(row.at), SPARK.width, SPARK.height);
  return (
    <span className="wb-Row-measured">
      <svg
        className="wb-Spark"
        viewBox={`0 0 ${SPARK.width} ${SPARK.height}`}
        aria-hidden="true"
        data-testid="wb-spark"
      >
        <path d={path} />
      </svg>
      <span className="wb-Row-numbers">
        <span className="wb-Row-rate" title="Requests per second" data-testid="wb-rate">
          {format.rate(rates?.requests_per_s)}
        </span>
        <span
          className="wb-Row-latency"
          title="Latency: 99 of 100 requests are faster"
          data-testid="wb-p99"
        >
          {format.latency(rates?.p99_ms)}
        </span>
      </span>
    </span>
  );
}

/** An id for the page: any name of a user's in it. */
export function domId(key: string): string {
  return `wb-row-${encodeURIComponent(key)}`;
}
