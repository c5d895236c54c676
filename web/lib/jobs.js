/** What more than one part of the page does with jobs. */

import {askJson} from "./api.js";

export const isActive = (job) => job.state === "queued" || job.state === "running";

/**
 * Cancel a job that waits or is in work; one that has ended stays as it is.
 * @returns {Promise<object>} the job as it is then
 * @throws {Problem}
 */
export const cancelJob = (id, signal) => askJson(`v1/jobs/${id}/cancel`, {method: "POST", signal});
