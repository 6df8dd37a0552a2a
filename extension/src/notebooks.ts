/** Puts code into notebooks and finds the cells that deployed. */

import { PageConfig } from '@jupyterlab/coreutils';
import type { JupyterFrontEnd } from '@jupyterlab/application';
import {
  NotebookActions,
  NotebookPanel,
  type INotebookTracker,
  type Notebook
} from '@jupyterlab/notebook';

import { ApiError } from './api';
import type { Owner } from './protocol';
import { serverPath } from './snippets';

export class Notebooks {
  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly tracker: INotebookTracker | null
  ) {}

  /** Below the active cell, or in it if it is empty; `before` if it is not there yet. */
  async insert(code: string, before?: string): Promise<void> {
    const panel = this.tracker?.currentWidget ?? (await this.create());
    if (!panel) {
      throw new ApiError(404, 'No notebook is open here.', 'Open one, and try again.');
    }
    await panel.context.ready;
    const sources = panel.content.widgets.map(cell => cell.model.sharedModel.source);
    const needsBefore =
      before !== undefined && !sources.some(it => it.includes(before));
    put(panel.content, needsBefore ? [before, code] : [code]);
    this.app.shell.activateById(panel.id);
  }

  /** A new notebook with cells of this code. */
  async createWith(
    cells: readonly string[],
    cwd?: string
  ): Promise<NotebookPanel | undefined> {
    const panel = await this.create(cwd);
    if (!panel) {
      return undefined;
    }
    await panel.context.ready;
    put(panel.content, cells);
    panel.content.activeCellIndex = 0;
    return panel;
  }

  /** Open the notebook that deployed, at its cell. */
  async goTo(owner: Owner): Promise<void> {
    const panel = this.opened(owner.notebook) ?? (await this.open(owner.notebook));
    this.app.shell.activateById(panel.id);
    await panel.context.ready;
    const notebook = panel.content;
    const index = notebook.widgets.findIndex(cell => cell.model.id === owner.cell);
    if (index < 0) {
      throw new ApiError(
        404,
        `The cell that deployed it is no longer in ${panel.context.path}.`,
        'It may have been deleted, or the notebook was saved under another name.'
      );
    }
    notebook.activeCellIndex = index;
    await notebook.scrollToItem(index, 'center');
    notebook.activate();
  }

  private opened(path: string): NotebookPanel | undefined {
    return this.tracker?.find(panel => {
      const open = panel.context.path.replace(/^RTC:/, '');
      return path === open || path.endsWith(`/${open}`);
    });
  }

  private async open(path: string): Promise<NotebookPanel> {
    const inServer = serverPath(path, PageConfig.getOption('serverRoot'));
    try {
      const args = { path: inServer, factory: 'Notebook' };
      return (await this.app.commands.execute(
        'docmanager:open',
        args
      )) as NotebookPanel;
    } catch {
      throw new ApiError(
        404,
        `${path} cannot be opened here.`,
        'Was it moved or deleted?'
      );
    }
  }

  /** Undefined where it opens elsewhere: Notebook 7 has a page for each. */
  private async create(cwd = ''): Promise<NotebookPanel | undefined> {
    const args = { cwd, kernelName: await this.kernel() };
    const made: unknown = await this.app.commands.execute('notebook:create-new', args);
    return made instanceof NotebookPanel ? made : undefined;
  }

  private async kernel(): Promise<string> {
    const { kernelspecs } = this.app.serviceManager;
    await kernelspecs.ready;
    return kernelspecs.specs?.default ?? 'python3';
  }
}

function put(notebook: Notebook, cells: readonly string[]): void {
  for (const code of cells) {
    if (notebook.activeCell?.model.sharedModel.source.trim() !== '') {
      NotebookActions.insertBelow(notebook);
    }
    notebook.activeCell?.model.sharedModel.setSource(code);
  }
  notebook.activeCell?.node.scrollIntoView({ block: 'nearest' });
}
