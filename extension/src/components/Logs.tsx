/** Records of a log, filtered; new ones come in below. */

import * as React from 'react';

import { clock } from '../charts/format';
import { shortReplica } from '../format';
import type { Filter, LogTail } from '../logTail';
import type { Model } from '../model';
import type { Place } from '../place';
import type { LogRecord } from '../protocol';
import { logReason } from '../reasons';
import { LogFilter } from './LogFilter';
import { Notice } from './parts';

type Props = { tail: LogTail; model: Model; at: Place };

export function Logs({ tail, model, at }: Props): React.JSX.Element {
  useTail(tail);
  const list = React.useRef<HTMLDivElement>(null);
  const isAtEnd = React.useRef(true);
  React.useLayoutEffect(() => {
    if (list.current && isAtEnd.current) {
      list.current.scrollTop = list.current.scrollHeight;
    }
  });
  const pick = (part: Partial<Filter>): void =>
    tail.setFilter({ ...tail.filter, ...part });
  const reason = logReason(tail, model.instances, at.instance);
  return (
    <div className="wb-Logs">
      <LogFilter tail={tail} at={at} pick={pick} />
      {reason && <Notice reason={reason} run={() => pick(EVERYTHING)} />}
      <div
        ref={list}
        className="wb-Logs-list"
        role="log"
        aria-label="Records"
        tabIndex={0}
        data-testid="wb-log-records"
        onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
          isAtEnd.current = scrollHeight - scrollTop - clientHeight < 24;
        }}
      >
        {tail.dropped > 0 && (
          <p className="wb-Logs-dropped">
            {tail.dropped} older records are gone: the instance keeps the newest.
          </p>
        )}
        {tail.records.map(record => (
          <Line key={record.seq} record={record} pick={pick} />
        ))}
      </div>
    </div>
  );
}

const EVERYTHING: Partial<Filter> = { request_id: '', level: '', contains: '' };

type LineProps = { record: LogRecord; pick: (part: Partial<Filter>) => void };

const Line = React.memo(
  function Line({ record, pick }: LineProps): React.JSX.Element {
    const { request_id: request, replica, level } = record;
    return (
      <div className={`wb-Log wb-mod-${level.toLowerCase()}`} data-testid="wb-log">
        <time dateTime={new Date(record.at_s * 1000).toISOString()}>
          {clock(record.at_s)}
        </time>
        <span className="wb-Log-level">{level}</span>
        <button
          type="button"
          className="wb-Log-origin"
          title={`Only replica ${replica}`}
          onClick={() => pick({ replica })}
        >
          {record.deployment} {shortReplica(replica)}
        </button>
        {request && (
          <button
            type="button"
            className="wb-Log-origin"
            title="Only this request"
            onClick={() => pick({ request_id: request })}
          >
            {request.slice(0, 8)}
          </button>
        )}
        <span className="wb-Log-text">{record.text.trimEnd()}</span>
      </div>
    );
  },
  (before, after) => before.record === after.record
);

function useTail(tail: LogTail): void {
  const [, draw] = React.useReducer((count: number) => count + 1, 0);
  React.useEffect(() => {
    let frame = 0;
    const plan = (): void => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        draw();
      });
    };
    tail.changed.connect(plan);
    plan();
    return () => {
      cancelAnimationFrame(frame);
      tail.changed.disconnect(plan);
    };
  }, [tail]);
}
