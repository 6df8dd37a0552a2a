/** Live plots of an application in the main area, to be dragged beside a notebook. */

import { Widget } from '@lumino/widgets';

import { LivePlots } from './charts';
import { plotsIcon } from './icons';
import type { Known, Model } from './model';
import { keyOf, type Place } from './place';
import { instanceReason, linkReason } from './reasons';
import { whileSeen } from './sight';

const GONE = {
  tone: 'calm',
  sentence: 'The instance that served it has ended.',
  remedy: 'Run its cell again: the plots go on with the new one.'
} as const;

export class PlotsView extends Widget {
  private readonly plots: LivePlots;
  private shown = '';

  constructor(
    private readonly model: Model,
    readonly at: Place
  ) {
    super();
    this.id = `workbench-plots ${keyOf(at)}`;
    this.addClass('wb-PlotsView');
    this.node.setAttribute('data-testid', 'wb-plots-view');
    this.title.icon = plotsIcon;
    this.title.label = `Plots: ${at.app}`;
    this.title.caption = `Live plots of ${at.app}`;
    this.title.closable = true;
    this.plots = new LivePlots(this.node, {
      app: at.app,
      ...(at.deployment && { deployment: at.deployment })
    });
    whileSeen(this, () => this.listen());
  }

  /** The page's colours changed. */
  redraw(): void {
    this.plots.redraw();
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this.plots.dispose();
    }
    super.dispose();
  }

  private listen(): () => void {
    const { model, plots } = this;
    const onSample = (_: Model, id: string): void => {
      const { history } = this.known ?? {};
      if (id === this.shown && history?.last) {
        plots.push(history.last);
      }
    };
    const onReset = (_: Model, id: string): void => {
      if (id === this.shown && this.known) {
        plots.reset(this.known.history.all);
      }
    };
    const onChange = (): void => this.look();
    model.sampled.connect(onSample);
    model.historyReset.connect(onReset);
    model.changed.connect(onChange);
    const unwatch = model.watch();
    this.shown = '';
    this.look();
    return () => {
      unwatch();
      model.sampled.disconnect(onSample);
      model.historyReset.disconnect(onReset);
      model.changed.disconnect(onChange);
    };
  }

  /** The instance it was opened for; once that has ended, one that serves the same. */
  private get known(): Known | undefined {
    const { app, instance } = this.at;
    return (
      this.model.instance(instance) ??
      this.model.instances?.find(({ status }) => status?.applications[app])
    );
  }

  private look(): void {
    const { known, model, plots } = this;
    if (known && known.instance.id !== this.shown) {
      this.shown = known.instance.id;
      plots.reset(known.history.all);
    }
    if (known?.status) {
      plots.setStatus(known.status);
    }
    const problem = known?.instance.problem ? instanceReason(known) : null;
    const gone = model.instances && !known ? GONE : null;
    plots.setAway(linkReason(model.link) ?? problem ?? gone);
  }
}
