/** What Lumino expects of a browser and jsdom has not. */

Object.assign(globalThis, {
  matchMedia: (media: string) => ({
    media,
    matches: false,
    addListener: () => undefined
  }),
  DragEvent: class extends MouseEvent {},
  ResizeObserver: class {
    observe = (): void => undefined;
    unobserve = (): void => undefined;
    disconnect = (): void => undefined;
  }
});
