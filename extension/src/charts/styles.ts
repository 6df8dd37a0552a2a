/** The charts' style sheet: fits into JupyterLab, VS Code and any other page. */

export const STYLES = `
.wb-plots { --wb-line: var(--jp-border-color2, var(--vscode-panel-border, #8885));
  --wb-soft: var(--jp-ui-font-color2, var(--vscode-descriptionForeground, #808080));
  --wb-code: var(--jp-code-font-family, var(--vscode-editor-font-family, ui-monospace, monospace));
  font: 12px/1.45 var(--jp-ui-font-family, var(--vscode-font-family, system-ui, sans-serif));
  color: var(--jp-ui-font-color1, var(--vscode-foreground, inherit));
  box-sizing: border-box; width: 100%; min-width: 0; container-type: inline-size; }
.wb-plots *, .wb-plots *::before { box-sizing: border-box; }
.wb-plots code { font: 12px/1.45 var(--wb-code); background: none; color: inherit;
  padding: 0; border: 0; overflow-wrap: anywhere; }
.wb-plots-bar { display: flex; flex-wrap: wrap; gap: 4px 12px; align-items: center;
  min-height: 24px; margin-bottom: 4px; }
.wb-plots-bar.wb-none { display: none; }
.wb-moment { margin-left: auto; color: var(--wb-soft); font-variant-numeric: tabular-nums; }
.wb-select { font: inherit; color: inherit; max-width: 100%; height: 24px; padding: 0 4px;
  border: 1px solid var(--wb-line); border-radius: 3px;
  background: var(--jp-layout-color1, var(--vscode-dropdown-background, transparent)); }
.wb-select:focus-visible, .wb-button:focus-visible, .wb-stepper input:focus-visible {
  outline: 2px solid var(--jp-brand-color1, var(--vscode-focusBorder, #2f86c7));
  outline-offset: 1px; }
.wb-button { font: inherit; color: inherit; cursor: pointer; height: 24px; padding: 0 10px;
  border: 1px solid var(--wb-line); border-radius: 3px; white-space: nowrap;
  background: var(--jp-layout-color2, var(--vscode-button-secondaryBackground, #8881)); }
.wb-button:hover:not(:disabled) { border-color: currentColor; }
.wb-button:disabled, .wb-stepper input:disabled { opacity: .45; cursor: default; }
.wb-quiet { background: none; color: var(--wb-soft); height: 20px; padding: 0 6px;
  margin-left: 6px; }
.wb-reason { border-left: 3px solid #2f86c7; padding: 4px 10px; margin: 2px 0 8px;
  background: var(--jp-layout-color2, #8881); border-radius: 0 3px 3px 0;
  overflow-wrap: anywhere; }
.wb-reason:empty { display: none; }
.wb-reason.wb-bad { border-left-color: #d55e00; color: inherit; font-weight: inherit; }
.wb-reason b { font-weight: 600; margin-right: 6px; }
.wb-copyable { white-space: nowrap; }
.wb-copyable code { white-space: normal; user-select: all; }
.wb-charts { display: grid; gap: 10px 18px; grid-template-columns: minmax(0, 1fr); }
.wb-charts.wb-none { display: none; }
@container (min-width: 480px) { .wb-charts { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
@container (min-width: 1000px) { .wb-charts { grid-template-columns: repeat(3, minmax(0, 1fr)); } }
.wb-select option { color: CanvasText; background: Canvas; }
.wb-chart { min-width: 0; display: flex; flex-direction: column; }
.wb-chart-head { margin-bottom: 2px; }
.wb-chart-head b { display: block; font-weight: 600; }
.wb-unit { position: absolute; top: 0; left: 0; white-space: nowrap; font-size: 11px;
  line-height: 14px; color: var(--wb-soft); }
.wb-legend { display: flex; flex-wrap: wrap; gap: 0 14px; }
.wb-legend.wb-none { visibility: hidden; }
.wb-key { display: inline-flex; align-items: center; gap: 4px; white-space: nowrap; }
.wb-swatch { width: 20px; height: 8px; fill: none; }
.wb-value { font-variant-numeric: tabular-nums; font-weight: 600; min-width: 2.4em; }
.wb-label { max-width: 170px; overflow: hidden; text-overflow: ellipsis; }
.wb-plot { position: relative; min-width: 0; overflow: hidden; margin-top: auto; }
.wb-plot-note { position: absolute; inset: 20px 0 20px 42px; display: grid;
  place-items: center; color: var(--wb-soft); pointer-events: none; z-index: 1; }
.wb-plots .uplot { position: relative; width: min-content; }
.wb-plots .u-wrap { position: relative; user-select: none; }
.wb-plots :is(.u-over, .u-under, .u-axis) { position: absolute; }
.wb-plots .u-under { overflow: hidden; }
.wb-plots .uplot canvas { display: block; position: relative; width: 100%; height: 100%; }
.wb-plots .u-cursor-x { position: absolute; left: 0; top: 0; height: 100%; pointer-events: none;
  border-right: 1px dashed var(--wb-soft); will-change: transform; }
.wb-plots .u-cursor-pt { position: absolute; top: 0; left: 0; border-radius: 50%;
  border: 0 solid; pointer-events: none; will-change: transform; }
.wb-plots .u-select, .wb-plots .u-off { display: none; }
`;
