/** Many lines of one height, of which only those in view are there. */

import * as React from 'react';

import type { Row } from '../rows';

export const LINE = 24;
const SPARE = 8;
/** Runs up to here are drawn whole. */
const FEW = 40;

type Props = {
  rows: readonly Row[];
  /** Drawn wherever it stands, so that it can have the focus. */
  selected: string;
  scroller: React.RefObject<HTMLElement | null>;
  draw: (row: Row, style?: React.CSSProperties) => React.JSX.Element;
};

export function Run({ rows, selected, scroller, draw }: Props): React.JSX.Element {
  const box = React.useRef<HTMLDivElement>(null);
  const [from, setFrom] = React.useState(0);
  const [size, setSize] = React.useState(FEW);
  const isWhole = rows.length <= FEW;

  const look = React.useCallback(() => {
    const view = scroller.current?.getBoundingClientRect();
    const own = box.current?.getBoundingClientRect();
    if (view && own && view.height > 0) {
      setFrom(Math.max(0, Math.floor((view.top - own.top) / LINE) - SPARE));
      setSize(Math.ceil(view.height / LINE) + 2 * SPARE);
    }
  }, [scroller]);

  React.useEffect(() => {
    const element = scroller.current;
    if (isWhole || !element) {
      return;
    }
    look();
    const sized = new ResizeObserver(look);
    sized.observe(element);
    element.addEventListener('scroll', look, { passive: true });
    return () => {
      sized.disconnect();
      element.removeEventListener('scroll', look);
    };
  }, [look, scroller, isWhole, rows]);

  if (isWhole) {
    return <>{rows.map(row => draw(row))}</>;
  }
  return (
    <div
      ref={box}
      role="none"
      className="wb-Run"
      style={{ height: rows.length * LINE }}
    >
      {rows.map((row, index) =>
        (index >= from && index < from + size) || row.key === selected
          ? draw(row, { top: index * LINE })
          : null
      )}
    </div>
  );
}
