/** Live plots of an application in the main area, to be dragged beside a notebook. */

import { Widget } from '@lumino/widgets';

import { LivePlots } from './charts';
import { plotsIcon } from './icons';
import type { Model } from './model';
import { keyOf, type Place } from './place';
import { instanceReason, linkReason } from './reasons';
import { whileSeen } from './sight';

export class PlotsView extends Widget {
  private readonly plots: LivePlots;

  constructor(
    private readonly model: Model,
    readonly at: Place
  ) {
    super();
    this.id = `workbench-plots ${keyOf(at)}`;
    this.addClass('wb-PlotsView');
    this.node.dataset['testid'] = 'wb-plots-view';
    this.title.icon = plotsIcon;
    this.title.label = `Plots: ${at.app}`;
    this.title.caption = `Live plots of ${at.app}`;
    this.title.closable = true;
    this.plots = new LivePlots(this.node, {
      app: at.app,
      ...(at.deployment && { deployment: at.deployment })
    });
    whileSeen(this, () => {
      const unwatch = model.watch();
      this.onHistory(model, at.instance);
      this.onChange();
      return unwatch;
    });
    model.sampled.connect(this.onSample, this);
    model.historyReset.connect(this.onHistory, this);
    model.changed.connect(this.onChange, this);
  }

  /** The page's colours changed. */
  redraw(): void {
    this.plots.redraw();
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this.model.sampled.disconnect(this.onSample, this);
      this.model.historyReset.disconnect(this.onHistory, this);
      this.model.changed.disconnect(this.onChange, this);
      this.plots.dispose();
    }
    super.dispose();
  }

  private onHistory(_: Model, id: string): void {
    const known = this.model.instance(id);
    if (known && id === this.at.instance) {
      this.plots.reset(known.history.all);
    }
  }

  private onSample(_: Model, id: string): void {
    const last = id === this.at.instance && this.model.instance(id)?.history.last;
    if (last) {
      this.plots.push(last);
    }
  }

  private onChange(): void {
    const known = this.model.instance(this.at.instance);
    if (known?.status) {
      this.plots.setStatus(known.status);
    }
    const said = linkReason(this.model.link);
    const problem = known?.instance.problem ? instanceReason(known) : null;
    const gone = this.model.instances && !known ? GONE : null;
    this.plots.setAway(said ?? problem ?? gone);
  }
}

const GONE = {
  tone: 'calm',
  sentence: 'The instance that served it has ended.',
  remedy: 'Run its cell again, and open the plots of the new one.'
} as const;
