package star

import (
	"slices"

	"go.starlark.net/syntax"
)

// Names of the guards, of which there is also one for each operator, called like it. No file can spell them.
const (
	guardCall   = "()"  // of a function and its arguments
	guardSlice  = "[:]" // of what is sliced
	guardTuple  = "(,)" // of a tuple
	guardEntry  = "[]"  // prefix for what changes an entry: of a container, a key and an operand
	guardParams = "params ="
)

// guard puts a call of a guard in place of each expression of a file with which little can make much, before it is compiled.
// It returns what no file may hold.
func guard(f *syntax.File) Errors {
	g := &guarding{}
	g.stmts(f.Stmts)
	for _, s := range f.Stmts {
		assign, ok := s.(*syntax.AssignStmt)
		if !ok || assign.Op != syntax.EQ {
			continue
		}
		if name, ok := assign.LHS.(*syntax.Ident); ok && name.Name == paramsName {
			assign.RHS = call(guardParams, assign.OpPos, assign.RHS)
		}
	}
	return g.errs
}

type guarding struct{ errs Errors }

// call returns the call of a guard.
func call(name string, pos syntax.Position, args ...syntax.Expr) *syntax.CallExpr {
	return &syntax.CallExpr{Fn: &syntax.Ident{NamePos: pos, Name: name}, Lparen: pos, Args: args, Rparen: pos}
}

func (g *guarding) stmts(all []syntax.Stmt) {
	for i, s := range all {
		all[i] = g.stmt(s)
	}
}

// stmt returns a statement with all its expressions guarded.
func (g *guarding) stmt(s syntax.Stmt) syntax.Stmt {
	switch s := s.(type) {
	case *syntax.AssignStmt:
		return g.assign(s)
	case *syntax.DefStmt:
		g.params(s.Params)
		g.stmts(s.Body)
	case *syntax.ExprStmt:
		s.X = g.expr(s.X)
	case *syntax.IfStmt:
		s.Cond = g.expr(s.Cond)
		g.stmts(s.True)
		g.stmts(s.False)
	case *syntax.ForStmt:
		g.target(s.Vars)
		s.X = g.expr(s.X)
		g.stmts(s.Body)
	case *syntax.ReturnStmt:
		s.Result = g.expr(s.Result)
	case *syntax.LoadStmt:
		g.errs = append(g.errs, mistake(s.Load, "a file of rules loads no other"))
	}
	return s
}

// assign guards an assignment. One like x += y becomes x = guard(x, y), and one like x[i] += y becomes guard(x, i, y).
func (g *guarding) assign(s *syntax.AssignStmt) syntax.Stmt {
	s.RHS = g.expr(s.RHS)
	lhs := s.LHS
	for paren, ok := lhs.(*syntax.ParenExpr); ok; paren, ok = lhs.(*syntax.ParenExpr) {
		lhs = paren.X
	}
	if s.Op == syntax.EQ {
		g.target(lhs)
		return s
	}
	switch lhs := lhs.(type) {
	case *syntax.Ident:
		if !isNumber(s.RHS) || s.Op != syntax.PLUS_EQ && s.Op != syntax.MINUS_EQ {
			read := &syntax.Ident{NamePos: lhs.NamePos, Name: lhs.Name}
			s.RHS, s.Op = call(s.Op.String(), s.OpPos, read, s.RHS), syntax.EQ
		}
	case *syntax.IndexExpr:
		return &syntax.ExprStmt{X: call(guardEntry+s.Op.String(), s.OpPos, g.expr(lhs.X), g.expr(lhs.Y), s.RHS)}
	}
	return s
}

// target guards what is in the places to which something is assigned, but not the places.
func (g *guarding) target(e syntax.Expr) {
	switch e := e.(type) {
	case *syntax.ParenExpr:
		g.target(e.X)
	case *syntax.TupleExpr:
		for _, x := range e.List {
			g.target(x)
		}
	case *syntax.ListExpr:
		for _, x := range e.List {
			g.target(x)
		}
	case *syntax.IndexExpr:
		e.X, e.Y = g.expr(e.X), g.expr(e.Y)
	case *syntax.DotExpr:
		e.X = g.expr(e.X)
	}
}

// params guards the defaults of parameters.
func (g *guarding) params(all []syntax.Expr) {
	for _, p := range all {
		switch p := p.(type) {
		case *syntax.BinaryExpr:
			p.Y = g.expr(p.Y)
		case *syntax.UnaryExpr:
			if p.Op == syntax.STAR && p.X != nil {
				g.errs = append(g.errs, mistake(p.OpPos, "a function of rules takes no *"+p.X.(*syntax.Ident).Name+"; let it take a list"))
			}
		}
	}
}

func (g *guarding) exprs(all []syntax.Expr) {
	for i, e := range all {
		all[i] = g.expr(e)
	}
}

// expr returns an expression that is guarded.
func (g *guarding) expr(e syntax.Expr) syntax.Expr {
	switch e := e.(type) {
	case *syntax.BinaryExpr:
		return g.binary(e)
	case *syntax.CallExpr:
		for i, arg := range e.Args {
			if named, ok := arg.(*syntax.BinaryExpr); ok && named.Op == syntax.EQ {
				named.Y = g.expr(named.Y)
			} else {
				e.Args[i] = g.expr(arg)
			}
		}
		e.Args = slices.Insert(e.Args, 0, g.expr(e.Fn))
		e.Fn = &syntax.Ident{NamePos: e.Lparen, Name: guardCall}
	case *syntax.TupleExpr:
		g.exprs(e.List)
		return call(guardTuple, syntax.Start(e), e)
	case *syntax.SliceExpr:
		e.X = call(guardSlice, e.Lbrack, g.expr(e.X))
		e.Lo, e.Hi, e.Step = g.expr(e.Lo), g.expr(e.Hi), g.expr(e.Step)
	case *syntax.Comprehension:
		e.Body = g.expr(e.Body)
		for _, clause := range e.Clauses {
			switch clause := clause.(type) {
			case *syntax.ForClause:
				g.target(clause.Vars)
				clause.X = g.expr(clause.X)
			case *syntax.IfClause:
				clause.Cond = g.expr(clause.Cond)
			}
		}
	case *syntax.LambdaExpr:
		g.params(e.Params)
		e.Body = g.expr(e.Body)
	case *syntax.CondExpr:
		e.Cond, e.True, e.False = g.expr(e.Cond), g.expr(e.True), g.expr(e.False)
	case *syntax.DictExpr:
		g.exprs(e.List)
	case *syntax.DictEntry:
		e.Key, e.Value = g.expr(e.Key), g.expr(e.Value)
	case *syntax.ListExpr:
		g.exprs(e.List)
	case *syntax.IndexExpr:
		e.X, e.Y = g.expr(e.X), g.expr(e.Y)
	case *syntax.DotExpr:
		e.X = g.expr(e.X)
	case *syntax.ParenExpr:
		e.X = g.expr(e.X)
	case *syntax.UnaryExpr:
		e.X = g.expr(e.X)
	}
	return e
}

// binary guards an operator, unless one operand is a literal with which it cannot make much.
func (g *guarding) binary(e *syntax.BinaryExpr) syntax.Expr {
	e.X, e.Y = g.expr(e.X), g.expr(e.Y)
	switch e.Op {
	case syntax.AND, syntax.OR:
		return e
	case syntax.PLUS, syntax.MINUS, syntax.LT, syntax.LE, syntax.GT, syntax.GE:
		if isNumber(e.X) || isNumber(e.Y) {
			return e
		}
	case syntax.SLASH, syntax.SLASHSLASH:
		if isNumber(e.Y) {
			return e
		}
	case syntax.EQL, syntax.NEQ:
		if isLiteral(e.X) || isLiteral(e.Y) {
			return e
		}
	}
	return call(e.Op.String(), e.OpPos, e.X, e.Y)
}

func isNumber(e syntax.Expr) bool {
	literal, ok := e.(*syntax.Literal)
	return ok && (literal.Token == syntax.INT || literal.Token == syntax.FLOAT)
}

// isLiteral says whether an expression is a number or a text that stands in the file, with which anything can be compared at once.
func isLiteral(e syntax.Expr) bool {
	_, ok := e.(*syntax.Literal)
	return ok
}
