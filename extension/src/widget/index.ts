/** What anywidget loads: the panel's views, in any front end. */

import type { Model } from './link';
import { PanelView } from './panel';

interface RenderProps {
  readonly model: Model;
  readonly el: HTMLElement;
}

function render({ model, el }: RenderProps): () => void {
  const view = new PanelView(el, model);
  return () => view.dispose();
}

export default { render };
