/** Elements from what they hold. Text stays text: nothing here takes HTML. */

export type Child = Node | string | null;

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className) {
    element.className = className;
  }
  element.append(...children.filter(child => child !== null));
  return element;
}

/** A sentence; what stands in backquotes becomes code. */
export function prose(text: string): Node[] {
  return text
    .split(/`([^`]+)`/)
    .map((part, index) =>
      index % 2 ? h('code', '', part) : document.createTextNode(part)
    );
}

/** A button; never of type submit. */
export function button(
  label: string,
  className: string,
  onClick: () => void
): HTMLButtonElement {
  const made = h('button', className, label);
  made.type = 'button';
  made.addEventListener('click', onClick);
  return made;
}

/** A line of code with a button that copies it, where the page may copy. */
export function copyable(code: string): HTMLElement {
  const line = h('span', 'wb-copyable', h('code', '', code));
  const board = navigator.clipboard as Clipboard | undefined;
  if (board) {
    const copy = button('Copy', 'wb-button wb-quiet', () => {
      board.writeText(code).then(
        () => (copy.textContent = 'Copied'),
        () => (copy.textContent = 'Not allowed here')
      );
    });
    line.append(copy);
  }
  return line;
}

/** Put a style sheet into the element's document or shadow root, once. */
export function style(element: Element, id: string, text: string): void {
  const root = element.getRootNode();
  const place = root instanceof ShadowRoot ? root : document.head;
  if (!place.querySelector(`style[data-wb="${id}"]`)) {
    const sheet = h('style', '', text);
    sheet.dataset.wb = id;
    place.append(sheet);
  }
}
