/** Live plots of an application; see `LivePlots`. */

export { LivePlots, type LivePlotsOptions } from './livePlots';
export type { Reason } from './reason';
