/** The log view in the main area: follows only while it is seen. */

import { ReactWidget } from '@jupyterlab/apputils';
import { listIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Api } from './api';
import { Logs } from './components/Logs';
import { host, shortReplica } from './format';
import { LogTail } from './logTail';
import type { Model } from './model';
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
    this.node.dataset['testid'] = 'wb-logs-view';
    this.title.icon = listIcon;
    const url = model.instance(at.instance)?.instance.url ?? at.instance;
    this.title.label = `Logs: ${shortReplica(replica) || deployment || app || host(url)}`;
    this.title.closable = true;
    whileSeen(this, () => {
      const unwatch = model.watch();
      this.tail.follow();
      this.update();
      return () => {
        unwatch();
        this.tail.stop();
        this.update();
      };
    });
  }

  protected override render(): React.JSX.Element | null {
    return this.isVisible ? (
      <Logs tail={this.tail} model={this.model} at={this.at} />
    ) : null;
  }
}
