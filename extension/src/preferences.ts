/** What the reader can set; `schema/sidebar.json` says each in a sentence. */

import { Signal, type ISignal } from '@lumino/signaling';
import type { ISettingRegistry } from '@jupyterlab/settingregistry';

export type Preferences = {
  readonly historyMinutes: number;
  readonly openReplicasUpTo: number;
  readonly askBeforeDelete: boolean;
  readonly logLines: number;
  /** Lines: a form's text field would lose their ends. */
  readonly template: readonly string[];
};

export const DEFAULTS: Preferences = {
  historyMinutes: 5,
  openReplicasUpTo: 8,
  askBeforeDelete: true,
  logLines: 2000,
  template: [
    '%%serve',
    'from workbench import serve',
    '',
    '@serve.deployment',
    'class Doubler:',
    '    def __init__(self):',
    '        self.factor = 2',
    '',
    '    async def __call__(self, request):',
    '        numbers = await request.json()',
    '        return [self.factor * number for number in numbers]'
  ]
};

/** The present ones, and word of each change. */
export class LivePreferences {
  private value = DEFAULTS;
  private readonly signal = new Signal<this, void>(this);

  get now(): Preferences {
    return this.value;
  }

  get changed(): ISignal<this, void> {
    return this.signal;
  }

  /** Follow what the reader sets in JupyterLab. */
  follow(settings: ISettingRegistry.ISettings): void {
    const read = (): void => {
      this.value = { ...DEFAULTS, ...(settings.composite as Partial<Preferences>) };
      this.signal.emit();
    };
    settings.changed.connect(read);
    read();
  }
}
