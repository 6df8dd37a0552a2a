/** Signs of our own, in the colour of the text around them. */

import { LabIcon } from '@jupyterlab/ui-components';

const svg = (path: string): string =>
  '<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 16 16">' +
  `<path class="jp-icon3" fill="#616161" d="${path}"/></svg>`;

export const workbenchIcon = new LabIcon({
  name: 'workbench:icon',
  svgstr: svg(
    'M1.5 12.5h13V14h-13zM3 7.5h2.2V11H3zm3.9-4h2.2V11H6.9zm3.9 2H13V11h-2.2z'
  )
});

export const plotsIcon = new LabIcon({
  name: 'workbench:plots',
  svgstr: svg(
    'M2 2h1.4v10.6H14V14H2zm3 7.2 2.6-3.4 2.3 2 3-4.3 1.1.8-3.9 5.5-2.3-2-1.7 2.3z'
  )
});

export const scaleIcon = new LabIcon({
  name: 'workbench:scale',
  svgstr: svg('M2 9h3v5H2zm4.5-3h3v8h-3zM11 2h3v12h-3z')
});
