/** Questions asked before something is done. */

import { Dialog, InputDialog, showDialog } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';

import { ApiError } from './api';
import { prose } from './format';
import type { ConnectRequest } from './protocol';

/** URL and token of a remote instance; null if the reader thinks better of it. */
export async function askConnection(url: string): Promise<ConnectRequest | null> {
  const { button, value } = await showDialog<ConnectRequest>({
    title: 'Connect to an instance',
    body: new ConnectForm(url),
    focusNodeSelector: url ? 'input[name="token"]' : 'input[name="url"]',
    buttons: [Dialog.cancelButton(), Dialog.okButton({ label: 'Connect' })]
  });
  return button.accept ? value : null;
}

/** How many replicas there should be; null to leave it. */
export async function askReplicas(name: string, now: number): Promise<number | null> {
  const { button, value } = await InputDialog.getNumber({
    title: `Replicas of ${name}`,
    value: now,
    okLabel: 'Scale'
  });
  return button.accept ? value : null;
}

/** Whether something that cannot be undone should be done. */
export async function confirmed(
  title: string,
  body: string,
  verb: string
): Promise<boolean> {
  const { button } = await showDialog({
    title,
    body,
    buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: verb })],
    defaultButton: 0
  });
  return button.accept;
}

/** Say why something was not done. */
export async function sayError(title: string, error: unknown): Promise<void> {
  const body = new Widget();
  body.addClass('wb-Said');
  body.node.append(note(error instanceof Error ? error.message : String(error)));
  if (error instanceof ApiError && error.remedy) {
    body.node.append(note(error.remedy));
  }
  await showDialog({ title, body, buttons: [Dialog.okButton({ label: 'Close' })] });
}

class ConnectForm extends Widget implements Dialog.IBodyWidget<ConnectRequest> {
  private readonly url = field('url', 'url', 'http://127.0.0.1:40123');
  private readonly token = field('token', 'password', '');

  constructor(url: string) {
    super();
    this.addClass('wb-ConnectForm');
    this.url.value = url;
    this.node.append(
      labelled('Address of its control API', this.url),
      labelled('Token', this.token),
      note(
        'Both stand in the file `workbench-….json` in the directory that ' +
          '`jupyter --runtime-dir` prints where the instance runs. The token goes to ' +
          "Jupyter's server and stays there."
      )
    );
  }

  getValue(): ConnectRequest {
    return { url: this.url.value.trim(), token: this.token.value.trim() };
  }
}

function field(name: string, type: string, placeholder: string): HTMLInputElement {
  const input = document.createElement('input');
  Object.assign(input, {
    name,
    type,
    placeholder,
    autocomplete: 'off',
    spellcheck: false
  });
  input.className = 'jp-mod-styled';
  return input;
}

function labelled(text: string, input: HTMLInputElement): HTMLLabelElement {
  const label = document.createElement('label');
  label.append(text, input);
  return label;
}

function note(text: string): HTMLParagraphElement {
  const paragraph = document.createElement('p');
  for (const part of prose(text)) {
    const node = document.createElement(part.isCode ? 'code' : 'span');
    node.textContent = part.text;
    paragraph.append(node);
  }
  return paragraph;
}
