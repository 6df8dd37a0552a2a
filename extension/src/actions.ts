/** What can be done to a node of the tree, each in a few lines. */

import { Clipboard, Notification } from '@jupyterlab/apputils';

import type { Api } from './api';
import { askConnection, askReplicas, confirmed } from './dialogs';
import { host } from './format';
import type { Known, Model } from './model';
import type { Notebooks } from './notebooks';
import { place, type Place } from './place';
import type { LivePreferences } from './preferences';
import type { ApplicationStatusOverview, DeploymentStatusOverview } from './protocol';
import { clientCode, curl } from './snippets';

const LOAD = '%load_ext workbench';

export class Actions {
  constructor(
    private readonly api: Api,
    private readonly model: Model,
    private readonly notebooks: Notebooks,
    private readonly preferences: LivePreferences
  ) {}

  async start(): Promise<void> {
    const instance = await this.api.start();
    this.model.select(place(instance.id));
  }

  async stop(at: Place): Promise<void> {
    const apps = Object.keys(this.known(at)?.status?.applications ?? {});
    const lost = apps.length === 0 ? '' : ` This deletes ${apps.join(', ')}.`;
    const sentence = `Everything that it started ends.${lost}`;
    if (await this.sure('Stop this instance?', sentence, 'Stop')) {
      await this.api.remove(at.instance);
    }
  }

  async connect(at: Place | null): Promise<void> {
    const known = at && this.known(at)?.instance;
    const request = await askConnection(known?.is_remote ? known.url : '');
    if (request) {
      const instance = await this.api.connect(request);
      this.model.select(place(instance.id));
    }
  }

  async disconnect(at: Place): Promise<void> {
    const url = this.known(at)?.instance.url ?? '';
    await this.api.remove(at.instance);
    Notification.info(`Disconnected from ${host(url)}; it runs on.`, {
      autoClose: 4000
    });
  }

  async scale(at: Place, to: number | undefined): Promise<void> {
    const now = this.deployment(at)?.target_num_replicas ?? 1;
    const wanted = to ?? (await askReplicas(at.deployment, now));
    if (wanted !== null) {
      await this.api.scale(at.instance, at.app, at.deployment, Math.round(wanted));
    }
  }

  async delete(at: Place): Promise<void> {
    const sentence = 'Requests that run now are finished, new ones are refused.';
    if (await this.sure(`Delete ${at.app}?`, sentence, 'Delete')) {
      await this.api.deleteApplication(at.instance, at.app);
    }
  }

  openUrl(at: Place): void {
    window.open(this.app(at)?.url ?? '', '_blank', 'noopener');
  }

  copyCurl(at: Place): void {
    this.copy(curl(this.app(at)?.url ?? ''));
  }

  copy(text: string): void {
    Clipboard.copyToSystem(text);
    Notification.success(`Copied: ${text}`, { autoClose: 3000 });
  }

  async insertTemplate(): Promise<void> {
    await this.notebooks.insert(this.template, LOAD);
  }

  async insertClient(at: Place): Promise<void> {
    const app = this.app(at);
    if (app) {
      await this.notebooks.insert(clientCode(at.app, app));
    }
  }

  async goToOwner(at: Place): Promise<void> {
    const app = this.app(at);
    if (app) {
      await this.notebooks.goTo(app.owner);
    }
  }

  async newService(cwd?: string): Promise<unknown> {
    const cells = [LOAD, this.template, '%serve query / [1, 2, 3]'];
    return await this.notebooks.createWith(cells, cwd);
  }

  known(at: Place): Known | undefined {
    return this.model.instance(at.instance);
  }

  app(at: Place): ApplicationStatusOverview | undefined {
    return this.known(at)?.status?.applications[at.app];
  }

  deployment(at: Place): DeploymentStatusOverview | undefined {
    return this.app(at)?.deployments[at.deployment];
  }

  private get template(): string {
    return this.preferences.now.template.join('\n');
  }

  private async sure(title: string, sentence: string, verb: string): Promise<boolean> {
    return (
      !this.preferences.now.askBeforeDelete || (await confirmed(title, sentence, verb))
    );
  }
}
