import { describe, expect, it } from 'vitest';

import type { DeploymentStatusOverview } from '../../src/protocol';
import { Controls } from '../../src/widget/controls';
import { application } from '../charts/samples';

const overview = (target: number, running = target): DeploymentStatusOverview => ({
  status: 'HEALTHY',
  status_trigger: '',
  replica_states: { RUNNING: running },
  message: '',
  version: 'a1',
  target_num_replicas: target,
  scaling: '',
  replicas: []
});

function setUp(deployments = { Doubler: overview(2) }) {
  const orders: unknown[] = [];
  const controls = new Controls('default', {
    scale: (deployment, count) => orders.push([deployment, count]),
    delete: () => orders.push('delete')
  });
  const found = application({ deployments });
  controls.show(found, '');
  document.body.replaceChildren(controls.node, controls.deletion.node);
  return { controls, found, orders };
}

function byName(name: string): HTMLButtonElement & HTMLInputElement {
  const all = document.querySelectorAll<HTMLButtonElement & HTMLInputElement>(
    'button, input'
  );
  const found = [...all].find(
    element => (element.getAttribute('aria-label') ?? element.textContent) === name
  );
  if (!found) {
    throw new Error(`no ${name}`);
  }
  return found;
}

describe('a deployment', () => {
  it('is scaled once another number is chosen', () => {
    const { orders } = setUp();
    expect(byName('Scale Doubler').disabled).toBe(true);

    byName('One replica of Doubler more').click();
    byName('Scale Doubler').click();

    expect(orders).toEqual([['Doubler', 3]]);
  });

  it('never gets less than one replica', () => {
    setUp({ Doubler: overview(1) });

    expect(byName('One replica of Doubler less').disabled).toBe(true);
    const input = byName('Replicas of Doubler');
    for (const nonsense of ['0', '-1', '1.5', '']) {
      input.value = nonsense;
      input.dispatchEvent(new Event('input'));
      expect(byName('Scale Doubler').disabled).toBe(true);
    }
  });

  it('keeps what the reader has typed while news come', () => {
    const { controls, found } = setUp();
    byName('One replica of Doubler more').click();

    controls.show(found, '');

    expect(byName('Replicas of Doubler').value).toBe('3');
  });

  it('follows the target that others set', () => {
    const { controls, found } = setUp();

    controls.show({ ...found, deployments: { Doubler: overview(5, 4) } }, '');

    expect(byName('Replicas of Doubler').value).toBe('5');
    expect(document.body.textContent).toContain('4 of 5 running');
  });

  it('cannot be scaled while the instance is away, and says why', () => {
    const { controls, found } = setUp();
    byName('One replica of Doubler more').click();

    controls.show(found, 'No instance is running.');

    expect(byName('Scale Doubler').disabled).toBe(true);
    expect(controls.node.querySelector('[title]')?.getAttribute('title')).toBe(
      'No instance is running.'
    );
  });
});

describe('deleting', () => {
  it('asks first', () => {
    const { orders } = setUp();

    byName('Delete default').click();
    expect(document.body.textContent).toContain(
      'Delete default and stop its replicas?'
    );
    expect(orders).toEqual([]);
    byName('Delete').click();

    expect(orders).toEqual(['delete']);
  });

  it('is given up by Escape, and the focus stays near', () => {
    const { orders } = setUp();
    byName('Delete default').click();

    document.activeElement?.dispatchEvent(
      new KeyboardEvent('keydown', { key: 'Escape', bubbles: true })
    );

    expect(orders).toEqual([]);
    expect(document.activeElement).toBe(byName('Delete default'));
  });

  it('is not offered for what is not served', () => {
    const { controls } = setUp();

    controls.show(undefined, '');

    expect(controls.deletion.node.hidden).toBe(true);
  });
});
