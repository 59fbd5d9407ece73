// A getter that changes the other members of the result.
// expect: 201
// returns: {"title":"x"}
// timeout: 2000
return {
  get title() {
    this.slug = 'late';
    delete this.body;
    return 'x';
  },
  body: 'gone',
  slug: 'early',
};
