/** What several sections do with jobs. */

import {askJson} from "./api.js";

/** @param {{state: string}} job */
export const isActive = (job) => job.state === "queued" || job.state === "running";

/**
 * Cancel a job that waits or runs; one that has ended stays as it is.
 * @param {string} id
 * @param {AbortSignal} signal
 * @returns {Promise<import("./types.js").Job>} the job as it is then
 * @throws {Problem}
 */
export const cancelJob = (id, signal) => askJson(`v1/jobs/${id}/cancel`, {method: "POST", signal});
