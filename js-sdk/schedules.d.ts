import type { EventContext } from './context.js';

/** What the handler of a schedule is given. It runs as the system: every right, as far as the extension's capabilities go. */
export interface ScheduleContext extends EventContext {
  /** The key of the job in `/api/cron`. */
  readonly jobId: string;
  /** What the job is called: the extension's name, and that of the schedule. */
  readonly jobName: string;
  /** Why it runs. */
  readonly triggeredBy: 'schedule' | 'manual' | 'extension';
  /** The key of this run in the job's history. */
  readonly runId: string;
  /** The moment that it runs for, in ISO form: the tick, also where the run is late; when it was asked for where no clock asked. */
  readonly scheduledAt: string;
}

/** Runs at each tick. What it throws is in the history, as an error. */
export type ScheduleHandler = (context: ScheduleContext) => void | Promise<void>;

/** How a schedule runs. */
export interface ScheduleOptions {
  /**
   * Its name among the schedules of the extension, 1 to 40 characters. One without a name is known by its number among those without: name those
   * of which there are several, so that each keeps its history.
   */
  name?: string;
  /** An IANA name such as `Europe/Berlin`; `UTC` by default. */
  timezone?: string;
  /** Limit of a run in milliseconds, up to an hour; 30,000 by default. The extension's own `timeout_ms` doesn't hold for it. */
  timeout_ms?: number;
}
