/** The sidebar's content: a bar, what is wrong, the tree, what is selected. */

import { addIcon, codeIcon, linkIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { COMMANDS } from '../ids';
import type { Model } from '../model';
import type { LivePreferences } from '../preferences';
import { emptyReason, linkReason, versionReason, type Remedy } from '../reasons';
import { Details, type DetailsProps } from './Details';
import { useBeat } from './live';
import { IconButton, Notice } from './parts';
import { Tree } from './Tree';

export type SidebarProps = DetailsProps & {
  model: Model;
  preferences: LivePreferences;
  runRemedy: (remedy: Remedy) => void;
};

export function Sidebar(props: SidebarProps): React.JSX.Element {
  const { model, preferences, runRemedy, run } = props;
  const beat = useBeat(model);
  const tell = (command: Remedy['command'], label: string) => () =>
    runRemedy({ command, label });
  const trouble = linkReason(model.link) ?? versionReason(model.serverVersion);
  const { instances } = model;
  const hasInstances = instances !== undefined && instances.length > 0;
  const knowsNone = instances?.length === 0;
  return (
    <div className="wb-Sidebar" data-testid="wb-sidebar" data-link={model.link}>
      <header className="wb-Head">
        <h2>Workbench</h2>
        <IconButton
          icon={codeIcon}
          label="Insert a %%serve cell"
          onClick={tell(COMMANDS.insertTemplate, '')}
          testId="wb-bar-insert"
        />
        <IconButton
          icon={linkIcon}
          label="Connect to an instance …"
          onClick={tell(COMMANDS.connect, '')}
          testId="wb-bar-connect"
        />
        <IconButton
          icon={addIcon}
          label="Start an instance"
          isDisabled={model.starting !== '' || model.link !== 'open'}
          onClick={tell(COMMANDS.start, '')}
          testId="wb-bar-start"
        />
      </header>
      {trouble && <Notice reason={trouble} run={runRemedy} />}
      {(knowsNone || model.starting) && model.link === 'open' && (
        <Notice reason={emptyReason(model.starting)} run={runRemedy} />
      )}
      {hasInstances && (
        <div className={model.link === 'open' ? 'wb-Body' : 'wb-Body wb-mod-stale'}>
          <Tree
            model={model}
            beat={beat}
            preferences={preferences.now}
            run={runRemedy}
            onDelete={() => model.selected && run(COMMANDS.delete, model.selected)}
          />
          <Details {...props} />
        </div>
      )}
    </div>
  );
}
