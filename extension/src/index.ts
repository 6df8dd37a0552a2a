import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';

const sidebar: JupyterFrontEndPlugin<void> = {
  id: 'serve-workbench:sidebar',
  description: 'What Workbench serves, live.',
  autoStart: true,
  activate: (_app: JupyterFrontEnd) => undefined
};

export default sidebar;
