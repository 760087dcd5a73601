package claude

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// NotesServer is the first argument of the test binary that makes it an MCP server with one tool, "write".
const NotesServer = "serve-notes"

// serveNotes serves until its input ends. The tool says what it was given, where it runs, and who it is.
func serveNotes() {
	server := mcp.NewServer(&mcp.Implementation{Name: "notes", Version: "1"}, nil)
	tool := &mcp.Tool{Name: "write", Description: "Write a note.", InputSchema: json.RawMessage(`{"type":"object","properties":{"text":{"type":"string"}}}`)}
	server.AddTool(tool, func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		dir, err := os.Getwd()
		if err != nil {
			return nil, err
		}
		text := fmt.Sprintf("wrote %s with %s and %s in %s as process %d.", req.Params.Arguments, os.Getenv("NOTES"), os.Getenv("TZ"), dir, os.Getpid())
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil
	})
	_ = server.Run(context.Background(), &mcp.StdioTransport{}) // ends with its input
}
