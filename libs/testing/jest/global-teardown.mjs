/** The last project to leave stops the Postgres of the run. */
export default async function globalTeardown() {
  const held = globalThis.gridbourseTestPostgres;
  if (!held) return;
  held.users -= 1;
  if (held.users > 0) return;
  delete globalThis.gridbourseTestPostgres;
  const { postgres } = await held.server;
  await postgres.stop();
}
