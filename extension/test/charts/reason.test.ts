import { describe, expect, it } from 'vitest';

import { reasonFor, type Known } from '../../src/charts/reason';
import { application, status } from './samples';

const known = (given: Partial<Known>): Known => ({
  app: 'default',
  status: status({ default: application() }),
  away: null,
  hasTraffic: false,
  ...given
});

describe('reasonFor', () => {
  it('is silent where the charts speak for themselves', () => {
    expect(reasonFor(known({ hasTraffic: true }))).toBeNull();
  });

  it('gives a line that sends a first request', () => {
    expect(reasonFor(known({}))?.command).toBe('curl http://127.0.0.1:8000/');
  });

  it('quotes a URL that a shell would take apart', () => {
    const odd = application({ url: "http://127.0.0.1:8000/it's here" });

    const found = reasonFor(known({ status: status({ default: odd }) }));

    expect(found?.command).toBe("curl 'http://127.0.0.1:8000/it'\\''s here'");
  });

  it('gives a call by handle where there is no URL', () => {
    const bare = application({ url: null, route_prefix: null });

    const found = reasonFor(known({ status: status({ default: bare }) }));

    expect(found?.command).toBe('serve.get_app_handle("default").remote()');
  });

  it('says what is served in place of an application that is not', () => {
    const found = reasonFor(known({ status: status({ ocr: application() }) }));

    expect(found?.sentence).toBe('Nothing is served as `default`.');
    expect(found?.remedy).toBe('Served are: `ocr`.');
  });

  it('says that nothing runs, and what starts it', () => {
    const found = reasonFor(known({ status: { ...status(), instance: null } }));

    expect(found?.sentence).toBe('Nothing runs.');
    expect(found?.remedy).toContain('%%serve');
  });

  it('puts a lost connection before all else', () => {
    const away = { tone: 'bad', sentence: 'Gone.', remedy: 'Start it.' } as const;

    expect(reasonFor(known({ away, hasTraffic: true }))).toBe(away);
  });

  it('ends a failed deploy with the last line of the traceback', () => {
    const failed = application({
      status: 'DEPLOY_FAILED',
      message: 'Traceback …\n  File "x"\nValueError: no weights\n'
    });

    const found = reasonFor(
      known({ status: status({ default: failed }), hasTraffic: true })
    );

    expect(found).toMatchObject({ tone: 'bad', remedy: 'ValueError: no weights' });
    expect(found?.sentence).not.toContain('still');
  });
});
