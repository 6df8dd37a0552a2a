/** How many replicas a deployment should have. */

import * as React from 'react';

type Props = { target: number; onScale: (to: number) => void };

export function ScaleForm({ target, onScale }: Props): React.JSX.Element {
  // What the reader typed; the target again once that was reached.
  const [typed, setTyped] = React.useState<string | null>(null);
  const wanted = Number(typed ?? target);
  const isValid = Number.isInteger(wanted) && wanted >= 1;
  return (
    <form
      className="wb-Scale"
      data-testid="wb-scale"
      onSubmit={event => {
        event.preventDefault();
        if (isValid) {
          onScale(wanted);
          setTyped(null);
        }
      }}
    >
      <label>
        Replicas
        <input
          type="number"
          min={1}
          step={1}
          className="jp-mod-styled"
          value={typed ?? target}
          onChange={event => setTyped(event.target.value)}
        />
      </label>
      <button
        type="submit"
        className="wb-Button"
        disabled={!isValid || wanted === target}
        data-testid="wb-scale-apply"
      >
        Apply
      </button>
    </form>
  );
}
