/** Names of the commands: what buttons, menus and the palette call. */

export const COMMANDS = {
  show: 'workbench:show',
  start: 'workbench:start',
  stop: 'workbench:stop',
  connect: 'workbench:connect',
  disconnect: 'workbench:disconnect',
  retry: 'workbench:retry',
  reload: 'workbench:reload-page',
  plots: 'workbench:plots',
  logs: 'workbench:logs',
  scale: 'workbench:scale',
  delete: 'workbench:delete',
  openUrl: 'workbench:open-url',
  copyCurl: 'workbench:copy-curl',
  copyText: 'workbench:copy-text',
  insertTemplate: 'workbench:insert-template',
  insertClient: 'workbench:insert-client',
  goToOwner: 'workbench:go-to-owner',
  newService: 'workbench:new-service'
} as const;

export type CommandId = (typeof COMMANDS)[keyof typeof COMMANDS];
