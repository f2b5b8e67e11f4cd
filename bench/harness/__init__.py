"""What every benchmark needs: results, timing, children, the machine, the published page."""
