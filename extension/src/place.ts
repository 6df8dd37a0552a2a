/** Where in the tree something stands: instance, application, deployment, replica. */

/** One node; what lies below it is ''. */
export type Place = {
  readonly instance: string;
  readonly app: string;
  readonly deployment: string;
  readonly replica: string;
};

export type Kind = 'instance' | 'application' | 'deployment' | 'replica';

/** A node, from the top down. */
export function place(
  instance: string,
  app = '',
  deployment = '',
  replica = ''
): Place {
  return { instance, app, deployment, replica };
}

export function kindOf(at: Place): Kind {
  if (at.replica) {
    return 'replica';
  }
  if (at.deployment) {
    return 'deployment';
  }
  return at.app ? 'application' : 'instance';
}

/** A text that no other node has. */
export function keyOf(at: Place): string {
  return [at.instance, at.app, at.deployment, at.replica].join('\n').trimEnd();
}

/** The key under which samples know a deployment. */
export function deploymentKey(at: Place): string {
  return `${at.app}#${at.deployment}`;
}

/** What of a place is part of a command's arguments in a stored layout. */
export function placeFrom(args: Readonly<Record<string, unknown>>): Place | null {
  const part = (name: keyof Place): string => {
    const value = args[name];
    return typeof value === 'string' ? value : '';
  };
  return part('instance')
    ? place(part('instance'), part('app'), part('deployment'), part('replica'))
    : null;
}
