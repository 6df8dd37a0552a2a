/** The bar above a log: which records to show. */

import * as React from 'react';

import type { Filter, LogTail } from '../logTail';
import type { Place } from '../place';

const LEVELS = ['DEBUG', 'INFO', 'WARNING', 'ERROR'];
/** Typing is over when nothing more came for so long. */
const PAUSE_MS = 300;

type Props = { tail: LogTail; at: Place; pick: (part: Partial<Filter>) => void };

export function LogFilter({ tail, at, pick }: Props): React.JSX.Element {
  const { filter } = tail;
  const shown = [filter.app, filter.deployment].filter(Boolean).join(' › ');
  return (
    <form
      className="wb-Logs-bar"
      role="search"
      onSubmit={event => event.preventDefault()}
    >
      <span className="wb-Logs-scope">{shown || 'The whole instance'}</span>
      <label>
        Level
        <select
          className="wb-Select"
          value={filter.level}
          onChange={event => pick({ level: event.target.value })}
          data-testid="wb-log-level"
        >
          <option value="">all</option>
          {LEVELS.map(level => (
            <option key={level} value={level}>
              {level.toLowerCase()} and above
            </option>
          ))}
        </select>
      </label>
      <Text name="Text" value={filter.contains} set={contains => pick({ contains })} />
      <Text
        name="Request"
        value={filter.request_id}
        set={request_id => pick({ request_id })}
      />
      {!at.replica && (
        <Text
          name="Replica"
          value={filter.replica}
          set={replica => pick({ replica })}
        />
      )}
      <Buttons tail={tail} />
    </form>
  );
}

function Buttons({ tail }: Pick<Props, 'tail'>): React.JSX.Element {
  return (
    <span className="wb-Logs-buttons">
      <button
        type="button"
        className="wb-Button"
        onClick={() => tail.setPaused(!tail.isPaused)}
        data-testid="wb-log-follow"
      >
        {tail.isPaused ? 'Follow' : 'Pause'}
      </button>
      <button
        type="button"
        className="wb-Button"
        onClick={() => tail.clear()}
        data-testid="wb-log-clear"
      >
        Clear
      </button>
    </span>
  );
}

type TextProps = { name: string; value: string; set: (value: string) => void };

/** A field that takes effect when its reader stops typing. */
function Text({ name, value, set }: TextProps): React.JSX.Element {
  const [typed, setTyped] = React.useState(value);
  const [was, setWas] = React.useState(value);
  if (was !== value) {
    // Set from elsewhere, for example by a click on a record.
    setWas(value);
    setTyped(value);
  }
  const latest = React.useRef(set);
  React.useEffect(() => {
    latest.current = set;
  });
  React.useEffect(() => {
    if (typed === value) {
      return;
    }
    const timer = setTimeout(() => latest.current(typed), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [typed, value]);
  return (
    <label>
      {name}
      <input
        type="search"
        className="jp-mod-styled"
        value={typed}
        onChange={event => setTyped(event.target.value)}
        data-testid={`wb-log-${name.toLowerCase()}`}
      />
    </label>
  );
}
