/** What more than one part of the page does with jobs. */

import {askJson} from "./api.js";

export const isActive = (job) => job.state === "queued" || job.state === "running";

/**
 * Cancel a job that waits or is in work; one that has ended stays as it is.
 * @returns {Promise<object|null>} the job as it is then; null where it ended at that very moment, and was erased
 * @throws {Problem}
 */
export async function cancelJob(id, signal) {
  // The same request erases jobs that have ended.
  const job = await askJson(`v1/jobs/${id}`, {signal});
  return isActive(job) ? askJson(`v1/jobs/${id}`, {method: "DELETE", signal}) : job;
}
