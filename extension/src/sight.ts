/** Whether a widget is seen: only then it listens and draws. */

import { MessageLoop, type Message } from '@lumino/messaging';
import type { Widget } from '@lumino/widgets';

/** Calls `begin` when the widget comes into sight, and what that gave when it leaves. */
export function whileSeen(widget: Widget, begin: () => () => void): void {
  let end: (() => void) | null = null;
  const look = (isSeen: boolean): void => {
    if (isSeen) {
      end ??= begin();
    } else {
      end?.();
      end = null;
    }
  };
  // A hook runs before the widget itself takes a message in: its flags are older.
  MessageLoop.installMessageHook(widget, (_: unknown, { type }: Message) => {
    switch (type) {
      case 'after-attach':
        look(!widget.isHidden && (widget.parent?.isVisible ?? true));
        break;
      case 'after-show':
        look(true);
        break;
      case 'after-hide':
      case 'before-detach':
        look(false);
        break;
    }
    return true;
  });
  widget.disposed.connect(() => look(false));
}
