/** The commands: what can be done, to what, and what it is called. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import {
  codeIcon,
  copyIcon,
  deleteIcon,
  launchIcon,
  linkIcon,
  listIcon,
  notebookIcon,
  refreshIcon,
  runIcon,
  stopIcon,
  type LabIcon
} from '@jupyterlab/ui-components';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { Actions } from './actions';
import { sayError } from './dialogs';
import { plotsIcon, scaleIcon, workbenchIcon } from './icons';
import { COMMANDS, type CommandId } from './ids';
import type { Model } from './model';
import { kindOf, placeFrom, type Kind, type Place } from './place';

/** What opens views; given by whoever wires the page. */
export interface Views {
  show(): void;
  plots(at: Place): void;
  logs(at: Place): void;
}

type Args = ReadonlyPartialJSONObject;

/** One command that needs no node. */
type Plain = {
  readonly id: CommandId;
  readonly label: string;
  readonly caption: string;
  readonly icon: LabIcon;
  readonly run: (args: Args) => unknown;
};

/** One command that is done to a node: the one named, or the one selected. */
type OnNode = Omit<Plain, 'run'> & {
  /** On a button beside the node's name. */
  readonly short: string;
  readonly kinds: readonly Kind[];
  readonly can?: (at: Place) => boolean;
  readonly run: (at: Place, args: Args) => unknown;
};

const APP_AND_BELOW: readonly Kind[] = ['application', 'deployment', 'replica'];

/** Kinds of nodes whose context menu has a command; the palette has all. */
export type Offer = Omit<OnNode, 'can' | 'run'>;

/** Add all commands; says which of them belong to which kind of node. */
export function addCommands(
  { commands }: JupyterFrontEnd,
  model: Model,
  actions: Actions,
  views: Views
): readonly Offer[] {
  const plain = [...toBegin(actions, views), ...toMend(model, actions)];
  for (const { id, label, caption, icon, run } of plain) {
    const execute = (args: Args): Promise<unknown> => guarded(label, () => run(args));
    commands.addCommand(id, { label, caption, icon, execute });
  }
  const offered = [...toLook(views), ...toCall(actions), ...toChange(actions)];
  for (const { id, label, caption, icon, kinds, can, run } of offered) {
    const target = (args: Args): Place | null => {
      const at = placeFrom(args) ?? model.selected;
      return at && kinds.includes(kindOf(at)) && (can?.(at) ?? true) ? at : null;
    };
    commands.addCommand(id, {
      label,
      caption,
      icon,
      isEnabled: args => target(args) !== null,
      execute: async args => {
        const at = target(args);
        return at && (await guarded(label, () => run(at, args)));
      }
    });
  }
  return offered;
}

async function guarded(label: string, run: () => unknown): Promise<unknown> {
  try {
    return await run();
  } catch (error) {
    await sayError(`${label.replace(' …', '')}: that did not work`, error);
    return undefined;
  }
}

function toBegin(actions: Actions, views: Views): readonly Plain[] {
  return [
    {
      id: COMMANDS.show,
      label: 'Show Workbench',
      caption: 'Show what is served',
      icon: workbenchIcon,
      run: () => views.show()
    },
    {
      id: COMMANDS.start,
      label: 'Start an instance',
      caption: "Start an instance on the machine of Jupyter's server",
      icon: runIcon,
      run: () => {
        views.show();
        return actions.start();
      }
    },
    {
      id: COMMANDS.connect,
      label: 'Connect to an instance …',
      caption: 'Connect to an instance on another machine, by its URL and token',
      icon: linkIcon,
      run: args => actions.connect(placeFrom(args))
    },
    {
      id: COMMANDS.insertTemplate,
      label: 'Insert a %%serve cell',
      caption: 'Put a cell that serves into the active notebook',
      icon: codeIcon,
      run: () => actions.insertTemplate()
    },
    {
      id: COMMANDS.newService,
      label: 'New service',
      caption: 'A notebook with a cell that serves',
      icon: workbenchIcon,
      run: ({ cwd }) => actions.newService(typeof cwd === 'string' ? cwd : undefined)
    }
  ];
}

function toMend(model: Model, actions: Actions): readonly Plain[] {
  return [
    {
      id: COMMANDS.retry,
      label: 'Try to reach the server now',
      caption: "Connect to Jupyter's server without waiting for the next try",
      icon: refreshIcon,
      run: () => model.retry()
    },
    {
      id: COMMANDS.reload,
      label: 'Reload the page',
      caption: 'Load JupyterLab anew',
      icon: refreshIcon,
      run: () => window.location.reload()
    },
    {
      id: COMMANDS.copyText,
      label: 'Copy',
      caption: 'Copy a text',
      icon: copyIcon,
      run: ({ text }) => actions.copy(typeof text === 'string' ? text : '')
    }
  ];
}

function toLook(views: Views): readonly OnNode[] {
  return [
    {
      id: COMMANDS.plots,
      label: 'Live plots',
      short: 'Plots',
      caption: 'Latency, requests, errors and replicas, live beside the notebook',
      icon: plotsIcon,
      kinds: ['application', 'deployment'],
      run: at => views.plots(at)
    },
    {
      id: COMMANDS.logs,
      label: 'Logs',
      short: 'Logs',
      caption: 'What its replicas say',
      icon: listIcon,
      kinds: ['instance', ...APP_AND_BELOW],
      run: at => views.logs(at)
    }
  ];
}

function toCall(actions: Actions): readonly OnNode[] {
  const hasUrl = (at: Place): boolean => typeof actions.app(at)?.url === 'string';
  return [
    {
      id: COMMANDS.openUrl,
      label: 'Open its URL',
      short: 'Open',
      caption: 'Open where it answers in a new tab',
      icon: launchIcon,
      kinds: APP_AND_BELOW,
      can: hasUrl,
      run: at => actions.openUrl(at)
    },
    {
      id: COMMANDS.copyCurl,
      label: 'Copy as curl',
      short: 'curl',
      caption: 'Copy a line for a shell that calls it',
      icon: copyIcon,
      kinds: APP_AND_BELOW,
      can: hasUrl,
      run: at => actions.copyCurl(at)
    },
    {
      id: COMMANDS.insertClient,
      label: 'Insert code that calls it',
      short: 'Code',
      caption: 'Put a cell that calls it into the active notebook',
      icon: codeIcon,
      kinds: APP_AND_BELOW,
      run: at => actions.insertClient(at)
    },
    {
      id: COMMANDS.goToOwner,
      label: 'Go to its cell',
      short: 'Cell',
      caption: 'Open the notebook that deployed it, at the cell',
      icon: notebookIcon,
      kinds: APP_AND_BELOW,
      can: at => actions.app(at)?.owner.notebook.endsWith('.ipynb') === true,
      run: at => actions.goToOwner(at)
    }
  ];
}

function toChange(actions: Actions): readonly OnNode[] {
  const isRemote = (at: Place): boolean =>
    actions.known(at)?.instance.is_remote === true;
  return [
    {
      id: COMMANDS.scale,
      label: 'Scale …',
      short: 'Scale',
      caption: 'Set how many replicas it should have',
      icon: scaleIcon,
      kinds: ['deployment'],
      run: (at, { to }) => actions.scale(at, typeof to === 'number' ? to : undefined)
    },
    {
      id: COMMANDS.delete,
      label: 'Delete …',
      short: 'Delete …',
      caption: 'Take the application away',
      icon: deleteIcon,
      kinds: ['application'],
      run: at => actions.delete(at)
    },
    {
      id: COMMANDS.stop,
      label: 'Stop this instance …',
      short: 'Stop …',
      caption: 'End it and all that it serves',
      icon: stopIcon,
      kinds: ['instance'],
      can: at => !isRemote(at),
      run: at => actions.stop(at)
    },
    {
      id: COMMANDS.disconnect,
      label: 'Disconnect',
      short: 'Disconnect',
      caption: 'Show it no longer, and forget its token; it runs on',
      icon: linkIcon,
      kinds: ['instance'],
      can: isRemote,
      run: at => actions.disconnect(at)
    }
  ];
}
