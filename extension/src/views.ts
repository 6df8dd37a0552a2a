/** Opens views in the main area, once each, and again after a reload. */

import type { ILayoutRestorer, JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import type { Widget } from '@lumino/widgets';

import type { Api } from './api';
import type { Views } from './commands';
import { COMMANDS } from './ids';
import { LogsView } from './logs';
import type { Model } from './model';
import type { Place } from './place';
import type { LivePreferences } from './preferences';
import { PlotsView } from './view';

/** What Notebook 7 calls itself. */
const NOTEBOOK = 'Jupyter Notebook';

export class MainViews implements Views {
  /** Set once there is a sidebar. */
  sidebar = '';
  private readonly plotted = new WidgetTracker<MainAreaWidget<PlotsView>>({
    namespace: 'workbench-plots'
  });
  private readonly logged = new WidgetTracker<MainAreaWidget<LogsView>>({
    namespace: 'workbench-logs'
  });

  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly model: Model,
    private readonly api: Api,
    private readonly preferences: LivePreferences
  ) {}

  show(): void {
    this.app.shell.activateById(this.sidebar);
  }

  plots(at: Place): void {
    this.open(
      this.plotted,
      () => new PlotsView(this.model, { ...at, replica: '' }),
      'right'
    );
  }

  logs(at: Place): void {
    const make = (): LogsView =>
      new LogsView(this.model, at, this.api, this.preferences);
    this.open(this.logged, make, 'bottom');
  }

  redraw(): void {
    this.plotted.forEach(({ content }) => content.redraw());
  }

  restore(restorer: ILayoutRestorer): void {
    this.restoreInto(restorer, this.plotted, COMMANDS.plots);
    this.restoreInto(restorer, this.logged, COMMANDS.logs);
  }

  private restoreInto<V extends PlotsView | LogsView>(
    restorer: ILayoutRestorer,
    tracker: WidgetTracker<MainAreaWidget<V>>,
    command: string
  ): void {
    void restorer.restore(tracker, {
      command,
      args: ({ content }) => ({ ...content.at }),
      name: ({ content }) => content.id
    });
  }

  private open<V extends Widget>(
    tracker: WidgetTracker<MainAreaWidget<V>>,
    make: () => V,
    side: 'right' | 'bottom'
  ): void {
    const content = make();
    const found = tracker.find(widget => widget.content.id === content.id);
    if (found) {
      content.dispose();
      this.app.shell.activateById(found.id);
      return;
    }
    const widget = new MainAreaWidget({ content });
    widget.id = `${content.id} view`;
    if (this.app.name === NOTEBOOK) {
      // Its main area has room for the notebook alone.
      this.app.shell.add(widget, 'right');
    } else {
      this.app.shell.add(widget, 'main', { mode: `split-${side}` });
    }
    void tracker.add(widget);
    this.app.shell.activateById(widget.id);
  }
}
