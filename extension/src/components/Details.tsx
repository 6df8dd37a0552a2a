/** Everything known of the selected line, and what can be done to it. */

import type { LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { facts, type Fact } from '../facts';
import type { Model } from '../model';
import { kindOf, keyOf, type Place } from '../place';
import { IconButton, Prose } from './parts';
import { ScaleForm } from './ScaleForm';

/** A command as a button needs it. */
export type Offered = {
  readonly id: string;
  readonly short: string;
  readonly caption: string;
  readonly icon: LabIcon;
};

export type DetailsProps = {
  model: Model;
  offers: (at: Place) => readonly Offered[];
  run: (id: string, at: Place) => void;
  scale: (at: Place, to: number) => void;
};

export function Details(props: DetailsProps): React.JSX.Element | null {
  const { model, offers, run, scale } = props;
  const at = model.selected;
  const known = at && model.instance(at.instance);
  const found = known && facts(known, at);
  if (!at || !found) {
    return null;
  }
  return (
    <section className="wb-Details" aria-label="Details" data-testid="wb-details">
      <header className="wb-Details-head">
        <h3>{found.title}</h3>
        <button
          type="button"
          className="wb-Button wb-mod-icon"
          aria-label="Close details"
          title="Close"
          onClick={() => model.select(null)}
        >
          ×
        </button>
      </header>
      <div className="wb-Buttons" data-testid="wb-actions">
        {offers(at).map(({ id, short, caption, icon }) => (
          <IconButton
            key={id}
            icon={icon}
            label={short}
            title={caption}
            hasText
            onClick={() => run(id, at)}
            testId={`wb-action-${id.replace('workbench:', '')}`}
          />
        ))}
      </div>
      {kindOf(at) === 'deployment' && (
        <ScaleForm
          key={keyOf(at)}
          target={found.target ?? 1}
          onScale={to => scale(at, to)}
        />
      )}
      {found.message && (
        <pre className="wb-Message" tabIndex={0} data-testid="wb-message">
          {found.message}
        </pre>
      )}
      <dl className="wb-Facts">
        {found.facts.map(fact => (
          <FactLine key={fact.name} {...fact} />
        ))}
      </dl>
    </section>
  );
}

function FactLine({ name, value, url }: Fact): React.JSX.Element {
  return (
    <>
      <dt>{name}</dt>
      <dd data-fact={name}>
        {url ? (
          <a href={url} target="_blank" rel="noopener noreferrer">
            {value}
          </a>
        ) : (
          <Prose text={value} />
        )}
      </dd>
    </>
  );
}
