/** The log view in the main area: follows only while it is seen. */

import { ReactWidget } from '@jupyterlab/apputils';
import { listIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Api } from './api';
import { Logs } from './components/Logs';
import { host, shortReplica } from './format';
import { LogTail } from './logTail';
import type { Known, Model } from './model';
import { keyOf, type Place } from './place';
import type { LivePreferences } from './preferences';
import { whileSeen } from './sight';

export class LogsView extends ReactWidget {
  private readonly tail: LogTail;

  constructor(
    private readonly model: Model,
    readonly at: Place,
    api: Api,
    preferences: LivePreferences
  ) {
    super();
    const { app, deployment, replica } = at;
    const filter = {
      app,
      deployment,
      replica,
      request_id: '',
      level: '',
      contains: ''
    };
    this.tail = new LogTail(api, at.instance, filter, () => preferences.now.logLines);
    this.id = `workbench-logs ${keyOf(at)}`;
    this.addClass('wb-LogsView');
    this.node.setAttribute('data-testid', 'wb-logs-view');
    this.title.icon = listIcon;
    const url = model.instance(at.instance)?.instance.url ?? at.instance;
    this.title.label = `Logs: ${shortReplica(replica) || deployment || app || host(url)}`;
    this.title.closable = true;
    whileSeen(this, () => {
      const unwatch = model.watch();
      const look = (): void => this.look();
      model.changed.connect(look);
      this.look();
      this.update();
      return () => {
        unwatch();
        model.changed.disconnect(look);
        this.tail.setSeen(false);
        this.update();
      };
    });
  }

  /** Nobody can be asked at an instance that is gone or away. */
  private look(): void {
    const { instances } = this.model;
    const known = this.model.instance(this.at.instance);
    this.tail.setSeen(
      instances === undefined || (known !== undefined && !isAway(known))
    );
    this.update();
  }

  protected override render(): React.JSX.Element | null {
    return this.isVisible ? (
      <Logs tail={this.tail} model={this.model} at={this.at} />
    ) : null;
  }
}

function isAway({ instance: { problem } }: Known): boolean {
  return problem !== null && problem.kind !== 'version_mismatch';
}
