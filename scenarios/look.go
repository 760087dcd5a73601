package scenarios

// A Look says what the world looks like in the viewer. Its fields are those of the viewer's own, which says what they mean; the viewer reads them as JSON.
// Where the file has no such table Kind is empty, and the viewer makes a look of the facts that there are.
//
// References name facts: a path, with {agent} in the place of an agent's name, and behind a # the way into an object: "agents/{agent}#at".
type Look struct {
	Kind   string      `toml:"kind" required:"true" enum:"board,places,ring" hint:"board, places or ring" doc:"Things in cells; agents at places that have names; or agents around what they share."`
	Width  string      `toml:"width" doc:"Of a board, in cells: a number, or a reference to one; by default as its layers need it."`
	Height string      `toml:"height" doc:"Likewise."`
	Places []LookPlace `toml:"places" max:"1000" doc:"Where places are; those that are not here stand in a circle."`
	Links  [][]string  `toml:"links" max:"10000" doc:"Pairs of places with a way between them."`
	Layers []LookLayer `toml:"layers" max:"100" doc:"What is on the board or at the places; the first ones lie under the later ones."`
	Bars   []LookBar   `toml:"bars" max:"10" doc:"Numbers of each agent, as bars below it."`
	Pools  []LookBar   `toml:"pools" max:"10" doc:"Numbers that all share, as tanks."`
	Text   string      `toml:"text" doc:"A reference to what stands under each agent; by default what it did last."`
	Edge   string      `toml:"edge" doc:"A reference to a word of each agent, such as its role, whose color its edge has."`
	Hidden string      `toml:"hidden" doc:"A reference; an agent of which it is true, or something other than false, is not drawn."`
	Gone   string      `toml:"gone" doc:"Likewise, is drawn as one who is out."`
	Sees   string      `toml:"sees" doc:"The field of what an agent sees that has the names of those whom it sees; by default all who are named there."`
	Window LookWindow  `toml:"window" optional:"true" doc:"What an agent on a board sees of it; without this table all."`
	Colors []LookColor `toml:"colors" max:"1000" doc:"Of letters of rows, and of words."`
}

// A LookPlace is a named place.
type LookPlace struct {
	Name string    `toml:"name" required:"true" doc:"Its name in the facts."`
	At   []float64 `toml:"at" min:"2" max:"2" doc:"Where it is: x to the right, y down."`
	Kind string    `toml:"kind" doc:"A word whose color fills it, such as sea."`
}

// A LookLayer is things on a board or at places, of one of its first five kinds.
type LookLayer struct {
	Rows    string `toml:"rows" doc:"A reference to a list of strings, one letter for a cell."`
	Cells   string `toml:"cells" doc:"A reference to a list of cells, [x, y]."`
	Pieces  string `toml:"pieces" doc:"A reference to where each agent is: a cell, or the name of a place."`
	Things  string `toml:"things" doc:"A reference to a list of objects."`
	Owners  string `toml:"owners" doc:"A reference to an object: by the names of places, who has them."`
	Where   string `toml:"where" doc:"Of things: only those of which this field is true; with ! before it, only the others."`
	At      string `toml:"at" doc:"Of things: the field that says where one is; by default at."`
	Owner   string `toml:"owner" doc:"Of things: the field that says whose it is."`
	Facing  string `toml:"facing" doc:"Of pieces: a reference to N, E, S or W."`
	Side    string `toml:"side" doc:"Of cells of agents, which count from the corner of a tile of their own: cells of a tile either way; a number, or a reference to one."`
	Columns string `toml:"columns" doc:"Of those: tiles in a row; likewise."`
	Form    string `toml:"form" enum:"square,disc,triangle,diamond,hexagon,cross,star" doc:"Of cells and things."`
	Color   string `toml:"color" pattern:"^#[0-9a-f]{6}$" hint:"a color like \"#56b4e9\"" doc:"Of cells and things; by default that of the agent."`
	Name    string `toml:"name" doc:"For the legend."`
}

// A LookBar is a number that is shown by how long or high something is.
type LookBar struct {
	Fact  string `toml:"fact" required:"true" doc:"A reference to the number."`
	Of    string `toml:"of" doc:"As much as there can be: a number, or a reference to one; by default the most that anybody has."`
	Color string `toml:"color" pattern:"^#[0-9a-f]{6}$" hint:"a color like \"#56b4e9\"" doc:"Of the bar."`
	Name  string `toml:"name" doc:"What people call it; by default the end of the reference."`
}

// A LookWindow is the cells around an agent that it sees.
type LookWindow struct {
	At     string `toml:"at" required:"true" doc:"A reference to the cell of each agent."`
	Facing string `toml:"facing" doc:"A reference to N, E, S or W; by default N."`
	Ahead  int    `toml:"ahead" min:"0" max:"200" doc:"Cells ahead of it."`
	Behind int    `toml:"behind" min:"0" max:"200" doc:"Cells behind it."`
	Aside  int    `toml:"aside" min:"0" max:"200" doc:"Cells to either side."`
}

// A LookColor is the color of a letter or a word.
type LookColor struct {
	Of    string `toml:"of" required:"true" doc:"The letter or the word."`
	Color string `toml:"color" required:"true" pattern:"^#[0-9a-f]{6}$" hint:"a color like \"#56b4e9\"" doc:"Its color."`
}
