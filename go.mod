module github.com/vitrine-sim/vitrine

go 1.26.0
