// Package webp rewrites a WebP file so that it holds the picture and nothing else.
package webp
