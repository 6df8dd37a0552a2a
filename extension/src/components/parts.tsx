/** Small things that the components share. */

import type { LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { prose } from '../format';
import type { Remedy, Reason } from '../reasons';
import type { Mark } from '../rows';

/** Text with `code` in backquotes. */
export function Prose({ text }: { text: string }): React.JSX.Element {
  const parts = prose(text).map((part, index) =>
    part.isCode ? <code key={index}>{part.text}</code> : part.text
  );
  return <>{parts}</>;
}

const SHAPES: Readonly<Record<Mark, React.JSX.Element>> = {
  good: <circle cx="6" cy="6" r="4" />,
  busy: <path d="M6 1.2a4.8 4.8 0 1 0 4.8 4.8H8.6A2.6 2.6 0 1 1 6 3.4z" />,
  warning: <path d="M6 .8 11.6 11H.4z" />,
  bad: (
    <path d="m2.6 1.2 3.4 3.4 3.4-3.4 1.4 1.4L7.4 6l3.4 3.4-1.4 1.4L6 7.4l-3.4 3.4-1.4-1.4L4.6 6 1.2 2.6z" />
  ),
  idle: (
    <path d="M6 1.6a4.4 4.4 0 1 0 0 8.8 4.4 4.4 0 0 0 0-8.8M6 3.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6" />
  )
};

/** A state's sign: form and colour, so that either alone is enough. */
export function MarkSign({
  mark,
  title
}: {
  mark: Mark;
  title: string;
}): React.JSX.Element {
  return (
    <svg
      className={`wb-Mark wb-mod-${mark}`}
      viewBox="0 0 12 12"
      role="img"
      aria-label={title}
      data-mark={mark}
    >
      <title>{title}</title>
      {SHAPES[mark]}
    </svg>
  );
}

type ButtonProps = {
  icon: LabIcon;
  label: string;
  title?: string;
  onClick: () => void;
  isDisabled?: boolean;
  hasText?: boolean;
  testId?: string;
};

/** A button with an icon, and its name beside it or as its title. */
export function IconButton(props: ButtonProps): React.JSX.Element {
  const { icon, label, title = label, hasText = false } = props;
  return (
    <button
      type="button"
      className={hasText ? 'wb-Button' : 'wb-Button wb-mod-icon'}
      title={title}
      aria-label={label}
      disabled={props.isDisabled ?? false}
      onClick={props.onClick}
      data-testid={props.testId}
    >
      <icon.react tag="span" className="wb-Button-icon" />
      {hasText && <span>{label}</span>}
    </button>
  );
}

type NoticeProps = { reason: Reason; run: (remedy: Remedy) => void };

/** Says why, and offers what mends it. */
export function Notice({ reason, run }: NoticeProps): React.JSX.Element {
  const { id, tone, sentence, remedy, remedies } = reason;
  return (
    <div
      className={`wb-Notice wb-mod-${tone}`}
      role={tone === 'bad' ? 'alert' : 'status'}
      data-testid="wb-notice"
      data-reason={id}
    >
      <p className="wb-Notice-sentence">
        <Prose text={sentence} />
      </p>
      {remedy && (
        <p>
          <Prose text={remedy} />
        </p>
      )}
      {remedies.length > 0 && (
        <div className="wb-Buttons">
          {remedies.map(one => (
            <button
              type="button"
              key={one.label}
              className="wb-Button"
              onClick={() => run(one)}
              data-testid={`wb-remedy-${one.command.replace('workbench:', '')}`}
            >
              {one.label}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
