"""The chapters that ran, as a site: pages of its own, the theme's pages finished, a PDF."""
