/** Puts the parts together and into JupyterLab; nothing else happens here. */

import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette, IThemeManager } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';

import { Actions } from './actions';
import { ServerApi } from './api';
import { addCommands, type Offer } from './commands';
import { SocketFeed } from './feed';
import { COMMANDS } from './ids';
import { Model } from './model';
import { Notebooks } from './notebooks';
import { WorkbenchPanel } from './panel';
import { LivePreferences } from './preferences';
import { MainViews } from './views';

const CATEGORY = 'Workbench';

const sidebar: JupyterFrontEndPlugin<void> = {
  id: 'serve-workbench:sidebar',
  description: 'What Workbench serves: instances, applications, replicas, live.',
  autoStart: true,
  optional: [
    ILayoutRestorer,
    ICommandPalette,
    ILauncher,
    INotebookTracker,
    ISettingRegistry,
    IThemeManager
  ],
  activate
};

function activate(
  app: JupyterFrontEnd,
  restorer: ILayoutRestorer | null,
  palette: ICommandPalette | null,
  launcher: ILauncher | null,
  notebooks: INotebookTracker | null,
  settings: ISettingRegistry | null,
  themes: IThemeManager | null
): void {
  const { serverSettings } = app.serviceManager;
  const preferences = new LivePreferences();
  const api = new ServerApi(serverSettings);
  const model = new Model(
    api,
    new SocketFeed(serverSettings),
    () => preferences.now.historyMinutes * 60
  );
  const views = new MainViews(app, model, api, preferences);
  const actions = new Actions(api, model, new Notebooks(app, notebooks), preferences);
  const offers = addCommands(app, model, actions, views);

  const panel = new WorkbenchPanel(model, preferences, app.commands, offers);
  app.shell.add(panel, 'left', { rank: 900, type: CATEGORY });
  views.sidebar = panel.id;

  restorer?.add(panel, panel.id);
  if (restorer) {
    views.restore(restorer);
  }
  void settings
    ?.load(sidebar.id)
    .then(loaded => preferences.follow(loaded))
    .catch((error: unknown) => console.warn('Workbench: no settings', error));
  themes?.themeChanged.connect(() => views.redraw());
  launcher?.add({ command: COMMANDS.newService, category: 'Other', rank: 0 });
  offer(app, palette, offers);
}

/** Palette entries, and the context menus of the tree. */
function offer(
  app: JupyterFrontEnd,
  palette: ICommandPalette | null,
  offers: readonly Offer[]
): void {
  const { show, start, connect, insertTemplate, newService } = COMMANDS;
  const plain = [show, start, connect, insertTemplate, newService];
  for (const command of [...plain, ...offers.map(({ id }) => id)]) {
    palette?.addItem({ command, category: CATEGORY });
  }
  offers.forEach(({ id, kinds }, rank) => {
    for (const kind of kinds) {
      const selector = `.wb-Row[data-kind="${kind}"]`;
      app.contextMenu.addItem({ command: id, selector, rank });
    }
  });
}

export default sidebar;
