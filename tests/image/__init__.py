"""The image, built and run without Docker: buildah on a base of debootstrap's, in namespaces of its own."""
