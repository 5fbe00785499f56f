"""Folders of classes: ROOT/CLASS/FILES, or ROOT/{train,validation,test}/CLASS/FILES, of pictures,
texts or any other form of files. Light."""
