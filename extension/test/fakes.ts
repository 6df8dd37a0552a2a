/** Stand-ins for what is elsewhere: Jupyter's server, its socket, an instance. */

import { ApiError, type Api } from '../src/api';
import type { Feed, FeedListener } from '../src/feed';
import type {
  ApplicationStatusOverview,
  DeploymentStatusOverview,
  FeedMessage,
  Instance,
  InstancesMessage,
  LogPage,
  LogQuery,
  LogRecord,
  ReplicaStatus,
  Sample,
  ServeStatus
} from '../src/protocol';
import { VERSION } from '../src/protocol';

/** A feed that a test speaks through. */
export class FakeFeed implements Feed {
  listener: FeedListener | null = null;
  opened = 0;
  retried = 0;

  open(listener: FeedListener): void {
    this.listener = listener;
    this.opened += 1;
  }

  close(): void {
    this.listener = null;
  }

  retry(): void {
    this.retried += 1;
  }

  say(...messages: FeedMessage[]): void {
    messages.forEach(message => this.listener?.said(message));
  }
}

/** A server that answers what a test says, and remembers what it was asked. */
export class FakeApi implements Api {
  readonly asked: unknown[][] = [];
  refusal: ApiError | null = null;
  pages: LogPage[] = [];
  private waiting: (() => void) | null = null;

  instances(): Promise<InstancesMessage> {
    return this.answer(['instances'], instances());
  }

  connect(request: { url: string; token: string }): Promise<Instance> {
    return this.answer(['connect', request], instance({ id: 'far', is_remote: true }));
  }

  start(): Promise<Instance> {
    return this.answer(['start'], instance());
  }

  remove(id: string): Promise<void> {
    return this.answer(['remove', id], undefined);
  }

  scale(...args: [string, string, string, number]): Promise<void> {
    return this.answer(['scale', ...args], undefined);
  }

  deleteApplication(...args: [string, string]): Promise<void> {
    return this.answer(['delete', ...args], undefined);
  }

  /** The next page that a test has laid out; waits where there is none. */
  async logs(
    id: string,
    query: Partial<LogQuery>,
    signal: AbortSignal
  ): Promise<LogPage> {
    await this.answer(['logs', id, query], undefined);
    if (this.pages.length === 0) {
      await new Promise<void>(resolve => {
        this.waiting = resolve;
        signal.addEventListener('abort', () => resolve());
      });
    }
    if (signal.aborted) {
      throw new DOMException('', 'AbortError');
    }
    return this.pages.shift() ?? { records: [], next: 0, dropped: 0 };
  }

  lay(page: LogPage): void {
    this.pages.push(page);
    this.waiting?.();
  }

  private answer<T>(asked: unknown[], value: T): Promise<T> {
    this.asked.push(asked);
    return this.refusal ? Promise.reject(this.refusal) : Promise.resolve(value);
  }
}

export function instance(parts: Partial<Instance> = {}): Instance {
  return {
    id: 'here',
    url: 'http://127.0.0.1:40123',
    is_remote: false,
    is_kept: true,
    version: VERSION,
    problem: null,
    ...parts
  };
}

export function instances(...all: Instance[]): InstancesMessage {
  return { kind: 'instances', instances: all, server_version: VERSION };
}

export function replica(id: string, parts: Partial<ReplicaStatus> = {}): ReplicaStatus {
  const usual = {
    state: 'RUNNING',
    version: 'v1',
    pid: 7,
    node: 'n',
    message: ''
  } as const;
  return { id, ...usual, ...parts };
}

export function deployment(
  replicas: ReplicaStatus[],
  parts: Partial<DeploymentStatusOverview> = {}
): DeploymentStatusOverview {
  return {
    status: 'HEALTHY',
    status_trigger: '',
    replica_states: { RUNNING: replicas.length },
    message: '',
    version: 'v1',
    target_num_replicas: replicas.length,
    scaling: '',
    replicas,
    ...parts
  };
}

export function application(
  deployments: Record<string, DeploymentStatusOverview>,
  parts: Partial<ApplicationStatusOverview> = {}
): ApplicationStatusOverview {
  return {
    status: 'RUNNING',
    message: '',
    last_deployed_time_s: 0,
    deployments,
    route_prefix: '/',
    url: 'http://127.0.0.1:8000/',
    ingress: Object.keys(deployments)[0] ?? '',
    owner: { notebook: '', cell: '' },
    ...parts
  };
}

export function status(
  applications: Record<string, ApplicationStatusOverview> = {}
): ServeStatus {
  return {
    proxies: {},
    applications,
    target_capacity: null,
    instance: {
      id: 'here',
      version: VERSION,
      ray_version: '2.60.0',
      http_url: 'http://127.0.0.1:8000',
      notes: [],
      pids: {},
      grpc_address: ''
    }
  };
}

/** One application `digits` with one deployment `Model` of so many replicas. */
export function digits(count = 2): ServeStatus {
  const replicas = Array.from({ length: count }, (_, index) => replica(`r${index}`));
  return status({ digits: application({ Model: deployment(replicas) }) });
}

/** A sample in which `digits` and its replicas answer `rate` requests a second. */
export function sample(at_s: number, rate = 1, replicas = 2): Sample {
  const rates = { requests_per_s: rate, errors_per_s: 0, p99_ms: 4.2 };
  const more = { ...rates, p50_ms: 1.2, p95_ms: 3 };
  const queue = { ongoing: 1, queued: 0, replicas, target: replicas };
  const own = { deployment: 'digits#Model', ongoing: 1, cpu_cores: 0.5 };
  const all = Array.from({ length: replicas }, (_, index): [string, object] => [
    `r${index}`,
    { ...rates, ...own, memory_bytes: 1e8 }
  ]);
  return {
    at_s,
    applications: { digits: more },
    deployments: { 'digits#Model': { ...more, ...queue } },
    replicas: Object.fromEntries(all) as Sample['replicas']
  };
}

export function event(
  said: Extract<FeedMessage, { kind: 'event' }>['event'],
  id = 'here'
): FeedMessage {
  return { kind: 'event', instance: id, event: said };
}

export function record(seq: number, text = `line ${seq}`): LogRecord {
  return {
    seq,
    at_s: seq,
    level: 'INFO',
    source: 'stdout',
    app: 'digits',
    deployment: 'Model',
    replica: 'r0',
    request_id: '',
    text
  };
}

/** Let all promises that can go on do so. */
export function settled(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve));
}
