// Package stage is what a page has of a painter in the browser: the object vitrinePainter. It holds what is painted and where one looks from, and
// a [Screen] paints it. It has code for browsers only.
//
// All positions are pixels of the canvas.
package stage
