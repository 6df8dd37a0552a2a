/** Draws again when the model changed: once in an animation frame, however much came. */

import * as React from 'react';

import type { Model } from '../model';

/** Numbers that rise: `changes` with all but samples, `samples` with each sample. */
export type Beat = { readonly changes: number; readonly samples: number };

export function useBeat(model: Model): Beat {
  const [beat, setBeat] = React.useState<Beat>({ changes: 0, samples: 0 });
  React.useEffect(() => {
    let frame = 0;
    const pending = { changes: 0, samples: 0 };
    const draw = (): void => {
      frame = 0;
      setBeat({ ...pending });
    };
    const plan = (): void => {
      frame ||= requestAnimationFrame(draw);
    };
    const onChange = (): void => {
      pending.changes += 1;
      plan();
    };
    const onSample = (): void => {
      pending.samples += 1;
      plan();
    };
    model.changed.connect(onChange);
    model.sampled.connect(onSample);
    model.historyReset.connect(onSample);
    // What came between the first drawing and now.
    onChange();
    return () => {
      cancelAnimationFrame(frame);
      model.changed.disconnect(onChange);
      model.sampled.disconnect(onSample);
      model.historyReset.disconnect(onSample);
    };
  }, [model]);
  return beat;
}
