// What tests of the page hold on to: the same things that people do, by name.
export function viewerForTests(app) {
  const { stage, player } = app;
  return {
    get ready() {
      return Boolean(stage.ready && (stage.frame || !stage.painter));
    },
    get renderer() {
      return app.state.painter;
    },
    state: () => ({ ...app.state, t: app.state.turn }),
    seek: (turn, seq = null) => player.seek(turn, seq),
    step: (n) => player.step(n),
    play: (on) => player.play(on),
    speed: (x) => app.set({ speed: x }),
    select: (agent) => app.set({ agent }),
    follow: (on) => app.follow(on),
    camera: (to) => stage.camera(to),
    screenOf: (agent) => stage.screenOf(agent),
    overlay: (name) => app.set({ overlay: name }),
    cmd: (id) => app.command(id),
    commands: () => app.table.map(({ id, keys, name, group }) => ({ id, keys, name, group })),
    stats: () => ({ drawn: 0, ms: stage.painted, ...stage.painter?.stats() }),
    frameHash: () => stage.painter?.hash() ?? "",
    painted: () => stage.settled(),
    settled: () => stage.settled().then(() => app.store.inform()), // the panels too
  };
}
