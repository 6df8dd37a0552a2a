/** The style sheet of what stands around the charts. */

export const STYLES = `
.wb-panel { --wb-line: var(--jp-border-color2, var(--vscode-panel-border, #8885));
  --wb-soft: var(--jp-ui-font-color2, var(--vscode-descriptionForeground, #808080));
  border: 1px solid var(--wb-line); border-radius: 4px; padding: 8px 12px 10px;
  margin: 2px 0; box-sizing: border-box; max-width: 1400px; min-width: 0;
  font: 13px/1.5 var(--jp-ui-font-family, var(--vscode-font-family, system-ui, sans-serif));
  color: var(--jp-ui-font-color1, var(--vscode-foreground, inherit)); }
.wb-panel *, .wb-panel *::before { box-sizing: border-box; }
.wb-panel [hidden] { display: none; }
.wb-top { display: flex; gap: 4px 12px; align-items: flex-start;
  justify-content: space-between; }
.wb-title { display: flex; flex-wrap: wrap; gap: 0 8px; align-items: baseline; min-width: 0; }
.wb-title b { font-weight: 600; overflow-wrap: anywhere; }
.wb-panel .wb-soft { color: var(--wb-soft); }
.wb-panel a.wb-url { color: var(--jp-content-link-color, var(--vscode-textLink-foreground, #2f86c7));
  text-decoration: none; overflow-wrap: anywhere; }
.wb-panel a.wb-url:hover { text-decoration: underline; }
.wb-is-good { color: #009e73; } .wb-is-busy { color: #2f86c7; }
.wb-is-bad { color: #d55e00; } .wb-is-idle { color: var(--wb-soft); }
.wb-controls { display: flex; flex-wrap: wrap; gap: 4px 24px; margin: 4px 0; }
.wb-scale { display: flex; flex-wrap: wrap; gap: 2px 8px; align-items: center; }
.wb-scale .wb-name { font-weight: 600; overflow-wrap: anywhere; }
.wb-stepper { display: inline-flex; }
.wb-stepper .wb-button { width: 24px; padding: 0; }
.wb-stepper .wb-button:first-child { border-radius: 3px 0 0 3px; border-right: 0; }
.wb-stepper .wb-button:last-child { border-radius: 0 3px 3px 0; border-left: 0; }
.wb-stepper input { font: inherit; color: inherit; text-align: center; width: 44px;
  height: 24px; margin: 0; border: 1px solid var(--wb-line); border-radius: 0;
  background: var(--jp-layout-color1, var(--vscode-input-background, transparent));
  appearance: textfield; -moz-appearance: textfield; }
.wb-stepper input::-webkit-inner-spin-button { display: none; }
.wb-deletion { margin-left: auto; }
.wb-deletion .wb-question { display: inline-flex; flex-wrap: wrap; gap: 4px 8px;
  align-items: center; }
.wb-panel .wb-danger { border-color: #d55e00; color: #d55e00; font-weight: 600; }
.wb-result { min-height: 0; margin: 2px 0; overflow-wrap: anywhere; }
.wb-result:empty { display: none; }
`;
