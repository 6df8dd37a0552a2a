/** Asks the Jupyter server extension; nothing else in the page asks anybody. */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import type {
  ConnectRequest,
  Instance,
  InstancesMessage,
  LogPage,
  LogQuery,
  ScaleRequest
} from './protocol';

/** Why something was not done, and what mends it. */
export class ApiError extends Error {
  /** `status` is 0 where nobody answered. */
  constructor(
    readonly status: number,
    message: string,
    readonly remedy: string
  ) {
    super(message);
  }
}

/** What the rest of the page may ask; tests have a fake of it. */
export interface Api {
  instances(): Promise<InstancesMessage>;
  connect(request: ConnectRequest): Promise<Instance>;
  start(): Promise<Instance>;
  remove(instance: string): Promise<void>;
  scale(instance: string, app: string, deployment: string, to: number): Promise<void>;
  deleteApplication(instance: string, app: string): Promise<void>;
  logs(
    instance: string,
    query: Partial<LogQuery>,
    signal: AbortSignal
  ): Promise<LogPage>;
}

export class ServerApi implements Api {
  constructor(private readonly settings: ServerConnection.ISettings) {}

  async instances(): Promise<InstancesMessage> {
    return (await this.ask('GET', ['instances'])) as InstancesMessage;
  }

  /** The token goes to Jupyter's server and is kept nowhere in the page. */
  async connect(request: ConnectRequest): Promise<Instance> {
    return (await this.ask('POST', ['instances'], request)) as Instance;
  }

  async start(): Promise<Instance> {
    return (await this.ask('POST', ['instances', 'start'])) as Instance;
  }

  /** Shuts an embedded instance down, forgets a remote one. */
  async remove(instance: string): Promise<void> {
    await this.ask('DELETE', ['instances', instance]);
  }

  async scale(
    instance: string,
    app: string,
    deployment: string,
    to: number
  ): Promise<void> {
    const path = ['applications', app, 'deployments', deployment, 'scale'];
    const body: ScaleRequest = { num_replicas: to };
    await this.ask('PUT', ['instances', instance, ...path], body);
  }

  async deleteApplication(instance: string, app: string): Promise<void> {
    await this.ask('DELETE', ['instances', instance, 'applications', app]);
  }

  async logs(
    instance: string,
    query: Partial<LogQuery>,
    signal: AbortSignal
  ): Promise<LogPage> {
    const asked = Object.entries(query).map(([name, value]) => [name, String(value)]);
    const search = new URLSearchParams(asked).toString();
    const path = ['instances', instance, 'logs'];
    return (await this.ask('GET', path, undefined, { search, signal })) as LogPage;
  }

  private async ask(
    method: string,
    path: readonly string[],
    body?: object,
    { search = '', signal }: { search?: string; signal?: AbortSignal } = {}
  ): Promise<unknown> {
    const url = URLExt.join(
      this.settings.baseUrl,
      'workbench',
      ...path.map(part => encodeURIComponent(part))
    );
    const init: RequestInit = { method, ...(signal && { signal }) };
    if (body) {
      init.body = JSON.stringify(body);
      init.headers = { 'content-type': 'application/json' };
    }
    const asked = search ? `${url}?${search}` : url;
    const response = await this.answer(asked, init);
    if (!response.ok) {
      throw await refusal(response);
    }
    return response.status === 204 ? undefined : await response.json();
  }

  private async answer(url: string, init: RequestInit): Promise<Response> {
    try {
      // Adds Jupyter's token and XSRF header.
      return await ServerConnection.makeRequest(url, init, this.settings);
    } catch (error) {
      if (error instanceof ServerConnection.NetworkError) {
        throw new ApiError(
          0,
          "Jupyter's server does not answer.",
          'Is it still running?'
        );
      }
      throw error;
    }
  }
}

async function refusal(response: Response): Promise<ApiError> {
  const said: unknown = await response.json().catch(() => null);
  const text = (name: string): string => {
    const value = (said as Record<string, unknown> | null)?.[name];
    return typeof value === 'string' ? value : '';
  };
  const message = text('message') || `Jupyter's server answers ${response.status}.`;
  return new ApiError(response.status, message, text('remedy'));
}
