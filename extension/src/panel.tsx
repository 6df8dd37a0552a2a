/** The sidebar: draws and listens only while it is seen. */

import { ReactWidget } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import type { Offer } from './commands';
import { Sidebar } from './components/Sidebar';
import { workbenchIcon } from './icons';
import { COMMANDS } from './ids';
import type { Model } from './model';
import { kindOf, type Place } from './place';
import type { LivePreferences } from './preferences';
import type { Remedy } from './reasons';
import { whileSeen } from './sight';

export class WorkbenchPanel extends ReactWidget {
  constructor(
    private readonly model: Model,
    private readonly preferences: LivePreferences,
    private readonly commands: CommandRegistry,
    private readonly offers: readonly Offer[]
  ) {
    super();
    this.id = 'workbench-sidebar';
    this.addClass('wb-Panel');
    this.title.icon = workbenchIcon;
    this.title.caption = 'Workbench';
    this.node.setAttribute('aria-label', 'Workbench');
    preferences.changed.connect(() => this.update());
    whileSeen(this, () => {
      const unwatch = model.watch();
      this.update();
      return () => {
        unwatch();
        this.update();
      };
    });
  }

  protected override render(): React.JSX.Element | null {
    if (!this.isVisible) {
      return null;
    }
    return (
      <Sidebar
        model={this.model}
        preferences={this.preferences}
        offers={at => this.offered(at)}
        run={(id, at) => this.run(id, at)}
        scale={(at, to) => this.run(COMMANDS.scale, at, { to })}
        runRemedy={remedy => this.mend(remedy)}
      />
    );
  }

  private offered(at: Place): readonly Offer[] {
    return this.offers.filter(
      ({ id, kinds }) => kinds.includes(kindOf(at)) && this.isEnabled(id, at)
    );
  }

  private isEnabled(id: string, at: Place): boolean {
    return id !== COMMANDS.scale && this.commands.isEnabled(id, { ...at });
  }

  private run(id: string, at: Place, more: { to?: number } = {}): void {
    void this.commands.execute(id, { ...at, ...more });
  }

  private mend({ command, at, text }: Remedy): void {
    void this.commands.execute(command, { ...at, ...(text !== undefined && { text }) });
  }
}
